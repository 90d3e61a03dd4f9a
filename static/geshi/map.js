// Maps on a plain paper ground: areas by level, incidents as pins or clusters, a place picked in a form.
// Leaflet (global L) is loaded before. Words come from data-text-* of the element, see parts/map.html.

const AREA = { color: "#7fabb5", weight: 1, fillColor: "#ffffff", fillOpacity: 0.75 };
const RANK = { county: 2.5, town: 1.8, village: 1.1, grid: 0.8, unit: 0.6 };
const LABELS = 160;

function address(template, bounds, zoom, query) {
  const box = [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()]
    .map((degree) => degree.toFixed(5)).join(",");
  const url = new URL(template.replace("{bbox}", box).replace("{zoom}", zoom), location.href);
  if (!template.includes("{bbox}")) url.searchParams.set("bbox", box);
  if (!template.includes("{zoom}")) url.searchParams.set("zoom", zoom);
  Object.entries(query || {}).forEach(([key, value]) => url.searchParams.set(key, value));
  return url;
}

// Loads again after the map has come to rest; an older answer never overwrites a newer one.
function follow(map, template, { onData, onError, query }) {
  let timer;
  let running;
  async function load() {
    running?.abort();
    const mine = running = new AbortController();
    const bounds = map.getBounds().pad(0.1);
    try {
      const answer = await fetch(address(template, bounds, map.getZoom(), query?.()), {
        signal: mine.signal, headers: { Accept: "application/json" },
      });
      if (!answer.ok) throw new Error(answer.status);
      const data = await answer.json();
      if (mine === running) { onData(data); onError(false); }
    } catch (problem) {
      if (problem.name !== "AbortError") onError(true);
    }
  }
  map.on("moveend", () => { clearTimeout(timer); timer = setTimeout(load, 180); });
  load();
  return load;
}

function paper(element) {
  const { bounds, center, zoom, tiles, attribution } = element.dataset;
  const map = L.map(element, {
    preferCanvas: true, zoomSnap: 0.5, minZoom: 6, maxZoom: 19, zoomControl: false,
    zoomAnimation: !window.matchMedia("(prefers-reduced-motion: reduce)").matches,
  });
  L.control.zoom({ zoomInTitle: element.dataset.textZoomIn || "", zoomOutTitle: element.dataset.textZoomOut || "" }).addTo(map);
  map.attributionControl.setPrefix(false);
  if (tiles) L.tileLayer(tiles, { maxZoom: 19, attribution: attribution || "" }).addTo(map);
  if (center) map.setView(center.split(",").map(Number), Number(zoom || 13));
  else {
    const [west, south, east, north] = (bounds || "73,18,135,53").split(",").map(Number);
    map.fitBounds([[south, west], [north, east]]);
  }
  map.createPane("labels").style.pointerEvents = "none";
  map.getPane("labels").style.zIndex = 450;
  L.control.scale({ imperial: false, position: "bottomright" }).addTo(map);
  return map;
}

function notice(element) {
  const note = document.createElement("div");
  note.className = "g-map-note";
  note.setAttribute("role", "status");
  note.textContent = element.dataset.textError || "";
  note.hidden = true;
  element.append(note);
  return (bad) => { note.hidden = !bad; };
}

function drawAreas(map, layer, data, { onArea, plain }) {
  layer.clearLayers();
  const features = data.features || [];
  const most = Math.max(1, ...features.map((f) => f.properties?.overdue || 0));
  let labelled = 0;
  L.geoJSON(features, {
    style: ({ properties = {} }) => ({
      ...AREA,
      weight: RANK[properties.level] || 1,
      ...(properties.overdue && !plain ? { fillColor: "#b3242b", fillOpacity: 0.06 + 0.24 * (properties.overdue / most) } : {}),
    }),
    onEachFeature: ({ properties = {} }, shape) => {
      if (onArea) shape.on("click", () => onArea(properties));
      const bounds = shape.getBounds();
      const wide = map.latLngToLayerPoint(bounds.getNorthEast()).x - map.latLngToLayerPoint(bounds.getSouthWest()).x;
      if (!properties.name || labelled >= LABELS || wide < properties.name.length * 12 + 8) return;
      labelled += 1;
      const words = document.createElement("span"); // a node, never HTML: names are data
      words.textContent = properties.name;
      shape.bindTooltip(words, { permanent: true, direction: "center", className: "g-map-label", pane: "labels" });
    },
  }).addTo(layer);
}

function badge(className, size, words = "") {
  const node = document.createElement("div");
  node.className = className;
  node.style.width = node.style.height = `${size}px`;
  node.textContent = words;
  return L.divIcon({ html: node, className: "", iconSize: [size, size] });
}

function drawPoints(map, layer, data, onPoint) {
  layer.clearLayers();
  (data.clusters || []).forEach((cluster) => {
    const size = 30 + Math.min(26, Math.round(Math.log10(cluster.count + 1) * 10));
    const tone = cluster.overdue >= cluster.count / 2 ? "over" : "";
    L.marker([cluster.lat, cluster.lon], { icon: badge(`g-cluster ${tone}`, size, cluster.count), alt: String(cluster.count) })
      .on("click", () => map.setView([cluster.lat, cluster.lon], Math.min(19, map.getZoom() + 2)))
      .addTo(layer);
  });
  (data.points || []).forEach((point) => {
    const marker = L.marker([point.lat, point.lon], {
      icon: badge(`g-pin ${point.tone || (point.overdue ? "over" : "")}`, 16), alt: point.label || "", title: point.label || "",
      zIndexOffset: point.overdue ? 500 : 0,
    }).addTo(layer);
    if (onPoint) { marker.on("click", () => onPoint(point)); return; }
    const node = document.createElement("div");
    const link = document.createElement(point.url ? "a" : "span");
    link.className = "g-popup-title";
    link.textContent = point.label || "";
    if (point.url) link.href = point.url;
    node.append(link);
    if (point.state_label) {
      const state = document.createElement("span");
      state.className = `g-badge g-state-${point.state}`;
      state.textContent = point.state_label;
      node.append(state);
    }
    marker.bindPopup(node);
  });
}

function legend(map, element) {
  const { textOpen, textDone, textOverdue } = element.dataset;
  if (!textOpen && !textOverdue) return;
  const control = L.control({ position: "bottomleft" });
  control.onAdd = () => {
    const box = L.DomUtil.create("div", "g-legend");
    [["", textOpen], ["done", textDone], ["over", textOverdue]].filter(([, words]) => words).forEach(([tone, words]) => {
      const row = L.DomUtil.create("div", "", box);
      L.DomUtil.create("i", tone, row);
      row.append(words);
    });
    return box;
  };
  control.addTo(map);
}

/** Shows areas and incidents. Returns {map, refresh(), filter(query)}; options: onPoint, onArea, plain (no red). */
export function createMap(element, options = {}) {
  const map = paper(element);
  const onError = notice(element);
  const { areasUrl, pointsUrl } = element.dataset;
  let query = {};
  let refresh = () => {};
  if (areasUrl) {
    const layer = L.layerGroup().addTo(map);
    follow(map, areasUrl, { onError, onData: (data) => drawAreas(map, layer, data, options) });
  }
  if (pointsUrl) {
    const layer = L.layerGroup().addTo(map);
    refresh = follow(map, pointsUrl, {
      onError, query: () => query, onData: (data) => drawPoints(map, layer, data, options.onPoint),
    });
    legend(map, element);
    document.body.addEventListener("geshi:changed", refresh);
  }
  return { map, refresh, filter: (next) => { query = next; refresh(); } };
}

/** Lets a form choose a place: tap, drag, keyboard or the phone's position. Fires geshi:placed. */
export function pickMap(element) {
  const canvas = element.querySelector(".g-map");
  const lat = element.querySelector("[data-lat]");
  const lon = element.querySelector("[data-lon]");
  const accuracy = element.querySelector("[data-accuracy]");
  const status = element.querySelector("[data-place-status]");
  const locate = element.querySelector("[data-locate]");
  const { pickMap: _, ...settings } = element.dataset;
  Object.assign(canvas.dataset, settings);
  const words = element.dataset;
  const { map } = createMap(canvas, { plain: true });
  const mark = L.marker(map.getCenter(), { draggable: true, keyboard: true, icon: badge("g-pin g-pin-big", 26), zIndexOffset: 1000 });

  function place(point, { metres = "", tell = words.textPlaced, move = false } = {}) {
    mark.setLatLng(point).addTo(map);
    lat.value = point.lat.toFixed(6);
    lon.value = point.lng.toFixed(6);
    if (accuracy) accuracy.value = metres;
    status.textContent = tell || "";
    status.classList.remove("g-red");
    if (move) map.setView(point, Math.max(map.getZoom(), 16));
    [lat, lon].forEach((input) => input.dispatchEvent(new Event("change", { bubbles: true })));
    element.dispatchEvent(new CustomEvent("geshi:placed", { bubbles: true, detail: { lat: lat.value, lon: lon.value } }));
  }
  function fail(message) {
    status.textContent = message || "";
    status.classList.add("g-red");
  }

  if (lat.value && lon.value) place(L.latLng(Number(lat.value), Number(lon.value)), { move: true });
  map.on("click", (event) => place(event.latlng));
  mark.on("dragend", () => place(mark.getLatLng()));
  canvas.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target !== canvas) return;
    event.preventDefault();
    place(map.getCenter());
  });
  locate?.addEventListener("click", () => {
    if (!navigator.geolocation) { fail(words.textUnsupported); return; }
    if (!window.isSecureContext) { fail(words.textInsecure); return; }
    locate.classList.add("busy");
    status.classList.remove("g-red");
    status.textContent = words.textLocating || "";
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        locate.classList.remove("busy");
        const metres = Math.round(coords.accuracy);
        place(L.latLng(coords.latitude, coords.longitude), {
          metres, move: true, tell: (words.textLocated || "").replace("{metres}", metres),
        });
      },
      ({ code }) => {
        locate.classList.remove("busy");
        fail({ 1: words.textDenied, 2: words.textUnavailable, 3: words.textTimeout }[code] || words.textUnavailable);
      },
      { enableHighAccuracy: true, timeout: 15000, maximumAge: 30000 },
    );
  });
  return { map, place };
}

function start(root) {
  root.querySelectorAll("[data-map]:not(.leaflet-container)").forEach((element) => createMap(element, { plain: "plain" in element.dataset }));
  root.querySelectorAll("[data-pick-map]").forEach((element) => {
    if (!element.querySelector(".leaflet-container")) pickMap(element);
  });
}
start(document);
document.body.addEventListener("htmx:load", (event) => start(event.detail.elt.parentElement || document));
