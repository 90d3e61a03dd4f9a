// Drawing a boundary or the line of a cut with Leaflet.draw (global L.Draw). What is drawn goes as
// GeoJSON into the form's text field; without this script the field takes pasted coordinates.

import { createMap } from "./map.js";
import { drawByRole, nameShapes } from "./territory.js";

const GROUND = {
  parent: { color: "#0c4553", weight: 2, dashArray: "6 5", fill: false, interactive: false },
  neighbour: { color: "#1f5796", weight: 1, fillColor: "#1f5796", fillOpacity: 0.08, interactive: false },
  sibling: { color: "#1f5796", weight: 1, fillColor: "#1f5796", fillOpacity: 0.08, interactive: false },
  child: { color: "#1f5796", weight: 1, fill: false, interactive: false },
  self: { color: "#55666f", weight: 1, dashArray: "3 4", fill: false, interactive: false },
  fault: { color: "#b3242b", weight: 2, fillColor: "#b3242b", fillOpacity: 0.5, interactive: false },
  part: { color: "#8a5a00", weight: 2, fillColor: "#8a5a00", fillOpacity: 0.18, interactive: false },
};
const MINE = { color: "#0f5c6e", weight: 3, fillColor: "#0f5c6e", fillOpacity: 0.18 };
const NEAR = 10; // pixels within which a corner snaps to a neighbour's

function say(words) {
  const { draw, edit } = L.drawLocal;
  Object.assign(draw.toolbar.buttons, { polygon: words.textPolygon, polyline: words.textLine });
  Object.assign(draw.toolbar.actions, { text: words.textCancel, title: "" });
  Object.assign(draw.toolbar.finish, { text: words.textFinish, title: "" });
  Object.assign(draw.toolbar.undo, { text: words.textUndo, title: "" });
  draw.handlers.polygon.tooltip = { start: words.textStart, cont: words.textNext, end: words.textEnd };
  draw.handlers.polyline.tooltip = { start: words.textStart, cont: words.textNext, end: words.textEndLine };
  draw.handlers.polyline.error = words.textCrosses;
  Object.assign(edit.toolbar.buttons, {
    edit: words.textEdit, editDisabled: words.textEdit, remove: words.textDelete, removeDisabled: words.textDelete,
  });
  edit.toolbar.actions = {
    save: { text: words.textSave, title: "" }, cancel: { text: words.textCancel, title: "" }, clearAll: { text: words.textClear, title: "" },
  };
  edit.handlers.edit.tooltip = { text: words.textDrag, subtext: "" };
  edit.handlers.remove.tooltip = { text: words.textTapDelete };
}

// Each polygon of a boundary is a layer of its own, so that one can be moved or erased alone.
function layersOf(text) {
  let shape;
  try { shape = JSON.parse(text); } catch { return []; }
  shape = shape?.geometry || shape;
  const parts = { Polygon: () => [shape.coordinates], MultiPolygon: () => shape.coordinates }[shape?.type]?.();
  if (parts) return parts.map((rings) => L.polygon(L.GeoJSON.coordsToLatLngs(rings, 1), MINE));
  if (shape?.type === "LineString") return [L.polyline(L.GeoJSON.coordsToLatLngs(shape.coordinates, 0), MINE)];
  return [];
}

function textOf(drawn) {
  const shapes = [];
  drawn.eachLayer((layer) => shapes.push(layer.toGeoJSON(9).geometry));
  if (!shapes.length) return "";
  if (shapes[0].type === "LineString") return JSON.stringify(shapes[shapes.length - 1]);
  return JSON.stringify({ type: "MultiPolygon", coordinates: shapes.map((shape) => shape.coordinates) });
}

function corners(layers) {
  const found = [];
  const walk = (points) => (Array.isArray(points) ? points.forEach(walk) : found.push(points));
  layers.forEach((layer) => walk(layer.getLatLngs()));
  return found;
}

function snap(map, layer, fixed) {
  const places = fixed.map((point) => [map.latLngToLayerPoint(point), point]);
  const settle = (point) => {
    if (Array.isArray(point)) return point.map(settle);
    const here = map.latLngToLayerPoint(point);
    let best = NEAR;
    let to = point;
    places.forEach(([there, corner]) => {
      const far = here.distanceTo(there);
      if (far < best) { best = far; to = corner; }
    });
    return L.latLng(to.lat, to.lng);
  };
  layer.setLatLngs(settle(layer.getLatLngs()));
}

function pieces() {
  return [...document.querySelectorAll("[data-pieces] i")].map(({ dataset }) => ({
    type: "Feature", properties: { role: dataset.role }, geometry: JSON.parse(dataset.shape),
  }));
}

async function start(holder) {
  const { mode, ground } = holder.dataset;
  const { map } = createMap(holder.querySelector(".g-map"), { plain: true });
  const field = document.querySelector("textarea[data-shape]");
  const drawn = new L.FeatureGroup().addTo(map);
  let fixed = [];

  if (mode) {
    say(holder.dataset);
    layersOf(field.value).forEach((layer) => drawn.addLayer(layer));
    const line = mode === "line";
    map.addControl(new L.Control.Draw({
      position: "topleft",
      draw: {
        polygon: !line && { allowIntersection: false, showArea: false, shapeOptions: MINE, drawError: { color: "#b3242b" } },
        polyline: line && { shapeOptions: MINE, showLength: false },
        rectangle: false, circle: false, marker: false, circlemarker: false,
      },
      edit: { featureGroup: drawn, poly: { allowIntersection: false } },
    }));
    const keep = () => {
      field.value = textOf(drawn);
      field.dispatchEvent(new Event("change", { bubbles: true }));
    };
    map.on(L.Draw.Event.CREATED, ({ layer }) => {
      if (line) drawn.clearLayers();
      else snap(map, layer, fixed);
      drawn.addLayer(layer);
      keep();
    });
    map.on(L.Draw.Event.EDITED, ({ layers }) => {
      if (!line) layers.eachLayer((layer) => snap(map, layer, fixed));
      keep();
    });
    map.on(L.Draw.Event.DELETED, keep);
    field.addEventListener("input", () => {
      drawn.clearLayers();
      layersOf(field.value).forEach((layer) => drawn.addLayer(layer));
      if (drawn.getLayers().length) map.fitBounds(drawn.getBounds().pad(0.2));
    });
  }

  const answer = await fetch(ground, { headers: { Accept: "application/json" } });
  const features = answer.ok ? (await answer.json()).features : [];
  const under = L.featureGroup().addTo(map);
  // What is to be cut stands out; what is to be redrawn lies faint below the drawing.
  const styles = mode === "line" ? { ...GROUND, self: { ...MINE, interactive: false } } : GROUND;
  const byRole = drawByRole(under, features, { styles });
  fixed = corners([...(byRole.neighbour || []), ...(byRole.parent || [])]);
  const found = L.geoJSON(pieces(), { style: ({ properties }) => GROUND[properties.role] }).addTo(map);
  drawn.bringToFront();
  const target = [found, drawn, L.featureGroup(byRole.self || byRole.parent || [])].find((group) => group.getLayers().length);
  if (target) map.fitBounds(target.getBounds().pad(target === found ? 1 : 0.2), { animate: false });
  nameShapes(map, [...(byRole.neighbour || []), ...(byRole.sibling || []), ...(byRole.child || [])]);
  holder.map = map; // whoever drives the page from outside knows when and where to click
  holder.dataset.ready = "1";
}

const holder = document.getElementById("draw-map");
if (holder) start(holder);
