// Draws .g-chart elements with ECharts in our colours.
// A chart is {"type": "line|bar|stack|donut", "columns": [head, series…], "rows": [[x, value…]…],
// "tones": ["primary", …], "unit": "…"}; the same columns and rows fill the table in parts/chart.html.

const TONES = {
  primary: "#0f5c6e", teal: "#3d93a5", pale: "#9cc8d1", red: "#b3242b", amber: "#d39a23",
  green: "#3f9a66", blue: "#3f7cc0", violet: "#7d5ea8", grey: "#93a3aa",
};
const ORDER = ["primary", "amber", "green", "blue", "violet", "teal", "grey", "red"];
const INK = "#1b2b33";
const MUTE = "#55666f";
const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;

function base(chart, colours) {
  const font = getComputedStyle(document.body).fontFamily;
  return {
    color: colours,
    animation: !calm,
    animationDuration: 300,
    aria: { enabled: true },
    textStyle: { fontFamily: font, color: INK },
    // richText: the HTML tooltip would need inline style, which our CSP forbids
    tooltip: {
      renderMode: "richText", trigger: chart.type === "donut" ? "item" : "axis", confine: true,
      backgroundColor: "#fff", borderColor: "#dbe3e6", textStyle: { color: INK, fontSize: 13 },
      valueFormatter: (value) => (value === null || value === undefined ? "–" : `${value}${chart.unit || ""}`),
    },
  };
}

function donut(chart, colours) {
  const data = chart.rows.map(([name, value]) => ({ name, value }));
  return {
    ...base(chart, colours),
    legend: { type: "scroll", orient: "vertical", right: 8, top: "middle", icon: "circle", itemGap: 10, textStyle: { color: INK, fontSize: 13 } },
    series: [{
      type: "pie", radius: ["52%", "78%"], center: ["34%", "50%"], data,
      label: { show: false }, itemStyle: { borderColor: "#fff", borderWidth: 2 },
    }],
  };
}

function axes(chart, colours) {
  const [, ...names] = chart.columns;
  const flat = chart.horizontal;
  const category = {
    type: "category", data: chart.rows.map(([x]) => x), inverse: Boolean(flat),
    axisTick: { show: false }, axisLine: { lineStyle: { color: "#b9c6cb" } }, axisLabel: { color: MUTE },
  };
  const value = { type: "value", minInterval: 1, splitLine: { lineStyle: { color: "#e8eef0" } }, axisLabel: { color: MUTE } };
  const series = names.map((name, at) => ({
    name,
    type: chart.type === "line" ? "line" : "bar",
    stack: chart.type === "stack" ? "all" : undefined,
    data: chart.rows.map((row) => row[at + 1]),
    barMaxWidth: 26,
    symbol: "circle",
    symbolSize: 6,
    showSymbol: chart.rows.length <= 31,
    lineStyle: { width: 2.5 },
    itemStyle: chart.type === "bar" ? { borderRadius: flat ? [0, 3, 3, 0] : [3, 3, 0, 0] } : undefined,
    areaStyle: chart.type === "line" && names.length === 1 ? { opacity: 0.1 } : undefined,
  }));
  return {
    ...base(chart, colours),
    grid: { left: 6, right: 14, top: names.length > 1 ? 36 : 14, bottom: 4, containLabel: true },
    legend: names.length > 1 ? { top: 0, left: 0, icon: "roundRect", itemWidth: 12, itemHeight: 8, textStyle: { color: INK } } : undefined,
    xAxis: flat ? value : { ...category, boundaryGap: chart.type !== "line" },
    yAxis: flat ? category : value,
    series,
  };
}

export function draw(element) {
  const source = element.dataset.chartFrom;
  const chart = JSON.parse(source ? document.getElementById(source).textContent : element.dataset.chart);
  const wanted = chart.tones || ORDER;
  const colours = wanted.map((tone) => TONES[tone] || tone);
  const plot = window.echarts.getInstanceByDom(element) || window.echarts.init(element);
  plot.setOption(chart.type === "donut" ? donut(chart, colours) : axes(chart, colours), true);
  new ResizeObserver(() => plot.resize()).observe(element);
  return plot;
}

const SELECTOR = "[data-chart], [data-chart-from]";
document.querySelectorAll(SELECTOR).forEach(draw);
document.body.addEventListener("htmx:load", (event) => {
  if (event.detail.elt !== document.body) event.detail.elt.querySelectorAll(SELECTOR).forEach(draw);
});
