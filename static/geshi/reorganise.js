// The map of an act: towns and villages as they are and as they would be, each to be hidden.

import { createMap } from "./map.js";
import { nameShapes } from "./territory.js";

const STYLES = {
  before: { color: "#b25e00", dashArray: "7 5", fillColor: "#b25e00", fillOpacity: 0.06, interactive: false },
  after: { color: "#0f5c6e", fillColor: "#0f5c6e", fillOpacity: 0.1, interactive: false },
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
        if (properties.level === "village") named.push([role, shape]);
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
    const role = map.hasLayer(sides.after) ? "after" : "before";
    named.forEach(([, shape]) => shape.unbindTooltip());
    unname = nameShapes(map, named.filter(([side]) => side === role && map.hasLayer(sides[side])).map(([, shape]) => shape));
  };
  holder.addEventListener("change", show);
  show();
}

const holder = document.getElementById("act-map");
if (holder) start(holder);
