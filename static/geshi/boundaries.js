// The preview of a boundary file: what is there now, and over it what the file would make of it.

import { createMap } from "./map.js";

const OLD = { color: "#14606e", weight: 2, dashArray: "5 4", fill: false };
const NEW = { color: "#c2410c", weight: 2, fillColor: "#c2410c", fillOpacity: 0.12 };
const OFF = { color: "#5c6b70", weight: 1.5, fillColor: "#5c6b70", fillOpacity: 0.06 };

function legend(map, words) {
  const control = L.control({ position: "bottomleft" });
  control.onAdd = () => {
    const box = L.DomUtil.create("div", "g-legend");
    [["v-new", words.textNew], ["v-grey", words.textOff], ["v-old", words.textOld]].forEach(([tone, text]) => {
      const row = L.DomUtil.create("div", "", box);
      L.DomUtil.create("i", tone, row);
      row.append(text);
    });
    return box;
  };
  control.addTo(map);
}

function show(holder) {
  const { map } = createMap(holder.querySelector(".g-map"), { plain: true });
  legend(map, holder.dataset);
  const layer = L.layerGroup().addTo(map);
  const spot = L.circleMarker([0, 0], { color: "#b3242b", radius: 9 });
  let running;
  async function load() {
    running?.abort();
    const mine = running = new AbortController();
    const bounds = map.getBounds();
    const box = [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()];
    try {
      const answer = await fetch(`${holder.dataset.shapesUrl}?bbox=${box.map((x) => x.toFixed(6)).join(",")}`, { signal: mine.signal });
      if (!answer.ok) return;
      const shapes = await answer.json();
      layer.clearLayers();
      L.geoJSON(shapes, {
        style: ({ properties }) => (properties.old ? OLD : properties.chosen ? NEW : OFF),
        onEachFeature: ({ properties }, shape) => {
          const words = document.createElement("span"); // a node, never HTML: names are data
          words.textContent = `${properties.number}. ${properties.name}`;
          shape.bindTooltip(words, { sticky: true });
        },
      }).addTo(layer);
    } catch (problem) {
      if (problem.name !== "AbortError") throw problem;
    }
  }
  map.on("moveend", load);
  load();
  document.body.addEventListener("htmx:afterSwap", load);
  document.addEventListener("click", (event) => {
    const place = event.target.closest("[data-spot]")?.dataset.spot;
    if (!place) return;
    const point = place.split(",").map(Number);
    spot.setLatLng(point).addTo(map);
    map.setView(point, 18);
    holder.scrollIntoView({ block: "nearest" });
  });
}

const holder = document.getElementById("boundary-map");
if (holder) show(holder);
