// The map beside the tree: the chosen area, its siblings and what it is made of.

import { createMap } from "./map.js";

const STYLES = {
  parent: { color: "#0c4553", weight: 2, dashArray: "6 5", fill: false, interactive: false },
  sibling: { color: "#7fabb5", weight: 1, fillColor: "#ffffff", fillOpacity: 0.75 },
  self: { color: "#0f5c6e", weight: 3, fillColor: "#0f5c6e", fillOpacity: 0.16 },
  child: { color: "#1f5796", weight: 1, fillColor: "#1f5796", fillOpacity: 0.07 },
};
const LABELS = 140;

/** Draws features by their role; returns the shapes by role, each with its properties. */
export function drawByRole(layer, features, { styles = STYLES, onArea } = {}) {
  const byRole = {};
  L.geoJSON(features, {
    style: ({ properties }) => styles[properties.role] || styles.sibling,
    onEachFeature: ({ properties }, shape) => {
      (byRole[properties.role] ||= []).push(Object.assign(shape, { properties }));
      if (onArea) shape.on("click", () => onArea(properties));
    },
  }).addTo(layer);
  (byRole.self || []).forEach((shape) => shape.bringToFront());
  (byRole.child || []).forEach((shape) => shape.bringToFront());
  return byRole;
}

/** Writes names on the shapes that are wide enough for theirs, again after each zoom. */
export function nameShapes(map, shapes) {
  const write = () => {
    let written = 0;
    shapes.forEach((shape) => {
      shape.unbindTooltip();
      const { name } = shape.properties;
      const bounds = shape.getBounds();
      const wide = map.latLngToLayerPoint(bounds.getNorthEast()).x - map.latLngToLayerPoint(bounds.getSouthWest()).x;
      if (!name || written >= LABELS || wide < name.length * 11) return;
      written += 1;
      const words = document.createElement("span"); // a node, never HTML: names are data
      words.textContent = name;
      shape.bindTooltip(words, { permanent: true, direction: "center", className: "g-map-label", pane: "labels" });
    });
  };
  write();
  map.on("zoomend", write);
  return () => map.off("zoomend", write);
}

function start(holder) {
  const { map } = createMap(holder.querySelector(".g-map"), { plain: true });
  const layer = L.layerGroup().addTo(map);
  let newest = 0;
  let unname = () => {};

  async function show(mark) {
    const mine = newest += 1;
    const answer = await fetch(mark.dataset.areaMap, { headers: { Accept: "application/json" } });
    if (!answer.ok || mine !== newest) return;
    const { features } = await answer.json();
    unname();
    layer.clearLayers();
    const byRole = drawByRole(layer, features, { onArea: ({ id }) => open(mark, id) });
    const bounds = (byRole.self || byRole.parent || [])[0]?.getBounds();
    if (bounds?.isValid()) map.fitBounds(bounds.pad(0.15), { animate: false });
    else if (mark.dataset.bounds) {
      const [west, south, east, north] = mark.dataset.bounds.split(",").map(Number);
      map.fitBounds([[south, west], [north, east]], { animate: false });
    }
    // Names of what is inside, when there is something inside.
    unname = nameShapes(map, byRole.child || [...(byRole.sibling || []), ...(byRole.self || [])]);
  }

  function open(mark, id) {
    if (String(id) !== mark.dataset.id) location.assign(mark.dataset.url + id);
  }

  function follow() {
    const mark = document.querySelector("[data-area-map]");
    if (!mark || mark.dataset.shown) return;
    mark.dataset.shown = "1";
    document.querySelectorAll(".t-row").forEach((row) => {
      const chosen = row.getAttribute("href").endsWith(`=${mark.dataset.id}`);
      row.classList.toggle("active", chosen);
      if (chosen) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    });
    show(mark);
  }
  follow();
  document.body.addEventListener("htmx:load", follow);
  const side = document.querySelector(".t-side");
  const chosen = document.querySelector(".t-tree .t-row.active");
  // Only the tree scrolls, not the page.
  if (chosen) side.scrollTop += chosen.getBoundingClientRect().top - side.getBoundingClientRect().top - side.clientHeight / 2;
}

const holder = document.getElementById("territory-map");
if (holder) start(holder);
