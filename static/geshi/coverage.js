// Gaps and overlaps on the map: real ones red, slivers grey; a button in the list leads to each.

import { createMap } from "./map.js";

const REAL = { color: "#b3242b", weight: 2, fillColor: "#b3242b", fillOpacity: 0.45 };
const AROUND = { color: "#0c4553", weight: 3, fill: false, interactive: false };
const SLIVER = { color: "#5c6b70", weight: 2, fillColor: "#5c6b70", fillOpacity: 0.4 };

function popup({ label, size, names, url }, words) {
  const node = document.createElement("div");
  [[label, "g-popup-title"], [size, ""], [names, ""]].filter(([text]) => text).forEach(([text, name]) => {
    const line = document.createElement("div"); // text nodes, never HTML: names are data
    line.className = name;
    line.textContent = text;
    node.append(line);
  });
  if (url) {
    const link = document.createElement("a");
    link.href = url;
    link.textContent = words.textEdit;
    node.append(link);
  }
  return node;
}

function legend(map, words) {
  const control = L.control({ position: "bottomleft" });
  control.onAdd = () => {
    const box = L.DomUtil.create("div", "g-legend");
    [["over", words.textReal], ["v-grey", words.textSliver]].forEach(([tone, text]) => {
      const row = L.DomUtil.create("div", "", box);
      L.DomUtil.create("i", tone, row);
      row.append(text);
    });
    return box;
  };
  control.addTo(map);
}

async function show(holder) {
  const { map } = createMap(holder.querySelector(".g-map"), { plain: true });
  legend(map, holder.dataset);
  // Above the areas, which are drawn anew after every move.
  map.createPane("faults").style.zIndex = 440;
  const shapes = new Map();
  const asked = fetch(holder.dataset.faultsUrl, { headers: { Accept: "application/json" } })
    .then((answer) => (answer.ok ? answer.json() : { type: "FeatureCollection", features: [] }));
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-fault]");
    if (!button) return;
    await asked; // whoever presses early is led there all the same
    const shape = shapes.get(button.dataset.fault);
    if (!shape) return;
    map.fitBounds(shape.getBounds().pad(1), { maxZoom: 19 });
    shape.openPopup();
    holder.scrollIntoView({ block: "nearest" });
  });
  const found = await asked;
  if (found.area) L.geoJSON(found.area, { pane: "faults", style: AROUND }).addTo(map);
  L.geoJSON(found, {
    pane: "faults",
    style: ({ properties }) => (properties.sliver ? SLIVER : REAL),
    onEachFeature: ({ id, properties }, shape) => {
      shapes.set(String(id), shape);
      shape.bindPopup(popup(properties, holder.dataset));
      // A hole of a few metres is no pixel wide at first: a point marks it at every zoom.
      const style = properties.sliver ? SLIVER : REAL;
      L.circleMarker(shape.getBounds().getCenter(), { ...style, radius: 5, pane: "faults" }).on("click", () => shape.openPopup()).addTo(map);
    },
  }).addTo(map);
}

const holder = document.getElementById("coverage-map");
if (holder) show(holder);
