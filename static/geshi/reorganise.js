// The map of an act: towns and villages as they are and as they would be, each to be hidden.

import { createMap } from "./map.js";
import { nameShapes } from "./territory.js";

// In the order they are drawn: the borders of today lie dashed over those to come.
const STYLES = {
  after: { color: "#0f5c6e", fillColor: "#0f5c6e", fillOpacity: 0.1, interactive: false },
  before: { color: "#b25e00", dashArray: "7 5", fillColor: "#b25e00", fillOpacity: 0.06, interactive: false },
};
const WEIGHT = { town: 3.5, village: 2 };

async function start(holder) {
  const { map } = createMap(holder.querySelector(".g-map"), { plain: true });
  const answer = await fetch(holder.dataset.shapes, { headers: { Accept: "application/json" } });
  if (!answer.ok) return;
  const { features } = await answer.json();
  holder.dataset.ready = "1";
  if (!features.length) return;
  const sides = {};
  const named = [];
  Object.keys(STYLES).forEach((role) => {
    sides[role] = L.geoJSON(features.filter(({ properties }) => properties.role === role), {
      style: ({ properties }) => ({ ...STYLES[role], weight: WEIGHT[properties.level] || 2 }),
      onEachFeature: ({ properties }, shape) => {
        shape.properties = properties;
        if (properties.level === "village") named.push(shape);
      },
    }).addTo(map);
  });
  map.fitBounds(L.featureGroup(Object.values(sides)).getBounds().pad(0.1), { animate: false });
  let unname = () => {};
  const show = () => {
    unname();
    holder.querySelectorAll("input[data-side]").forEach(({ dataset, checked }) => {
      if (checked) sides[dataset.side].addTo(map);
      else sides[dataset.side].remove();
    });
    if (map.hasLayer(sides.before)) sides.before.bringToFront();
    named.forEach((shape) => shape.unbindTooltip());
    // Names of one side only: those of both would lie over each other.
    const side = map.hasLayer(sides.before) ? "before" : "after";
    unname = nameShapes(map, named.filter((shape) => shape.properties.role === side && map.hasLayer(shape)));
  };
  holder.addEventListener("change", show);
  show();
}

const holder = document.getElementById("act-map");
if (holder) start(holder);
