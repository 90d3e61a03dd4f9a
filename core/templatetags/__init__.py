"""Tags for every floor's templates."""
