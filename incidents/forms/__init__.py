"""What people type in on a case, checked for shape; what it means is the services' business."""
