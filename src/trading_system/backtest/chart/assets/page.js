"use strict";
// Draws what the engine had said by the moment `known`. Every object carries the moment it became known; the one rule of this
// file is that nothing with a later moment is drawn, scaled to, or told. Columns of the rows: see page.py.
const D = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const QUARTER = 900000, DAY = 86400000;
const FRAMES = {"15m": {bars: D.q, ms: QUARTER}, "4h": {bars: D.f, ms: 14400000}};
const LAYERS = [
  ["swings", "swings", "--dim"], ["breaks", "breaks", "--long"], ["ob", "order blocks", "--short"], ["fvg", "gaps", "--gap"],
  ["ended", "ended zones", "--line"], ["range", "range, OTE", "--range"], ["sweeps", "sweeps", "--sweep"], ["signals", "signals", "--up"],
];
const shown = Object.fromEntries(LAYERS.map(([key]) => [key, true]));
const [qT, qO, qH, qL, qC] = D.q;
const FIRST = qT[0] + QUARTER, LAST = qT[qT.length - 1] + QUARTER;
let tf = "4h", known = LAST, view = {right: 0, count: 90}, pointer = null, drag = null;
const tally = {};

// --- values -----------------------------------------------------------------------------------------------------------------
/** Number of elements of the ascending array that are <= value. */
function upto(array, value) {
  let low = 0, high = array.length;
  while (low < high) { const mid = (low + high) >> 1; if (array[mid] <= value) low = mid + 1; else high = mid; }
  return low;
}
/** Bars of the frame that had closed by `known`. */
const knownBars = () => upto(FRAMES[tf].bars[0], known - FRAMES[tf].ms);
/** Place of a moment on the bar axis (fractional); bars need not be gapless. */
function place(moment) {
  const {bars: [t], ms} = FRAMES[tf], i = upto(t, moment) - 1;
  if (i < 0) return (moment - t[0]) / ms;
  const past = (moment - t[i]) / ms;
  return i + (i < t.length - 1 ? Math.min(1, past) : past);
}
const isKnown = (moment) => moment !== null && moment <= known;
const digits = (() => { let most = 0; for (const p of qC.slice(-300)) most = Math.max(most, (String(p).split(".")[1] || "").length); return Math.min(most, 10); })();
const price = (p) => p.toLocaleString("en-US", {minimumFractionDigits: digits, maximumFractionDigits: digits});
const when = (ms) => new Date(ms).toISOString().slice(0, 16).replace("T", " ");
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const bySide = (sign) => color(sign > 0 ? "--long" : "--short");

/** How a signal stands at `known`: touched levels of later bars count, the stop first when one bar touches both. */
function outcome([at, sign, , stop, target]) {
  for (let i = upto(qT, at - 1); i < qT.length && qT[i] + QUARTER <= known; i++) {
    if (sign > 0 ? qL[i] <= stop : qH[i] >= stop) return {word: "stop", at: qT[i] + QUARTER};
    if (sign > 0 ? qH[i] >= target : qL[i] <= target) return {word: "target", at: qT[i] + QUARTER};
  }
  return {word: "running", at: known};
}
function ruling() { const n = upto(D.ranges.map((r) => r[0]), known); return n ? D.ranges[n - 1] : null; }

// --- drawing ----------------------------------------------------------------------------------------------------------------
const canvas = $("chart"), g = canvas.getContext("2d");
let W = 0, H = 0, plot = {}, scale = {};
const AXIS_W = 76, AXIS_H = 22;
const X = (p) => (p - scale.left) * scale.step;
const Y = (p) => (scale.top - p) * scale.perPrice + 14;

function fit() {
  const ratio = window.devicePixelRatio || 1, box = canvas.getBoundingClientRect();
  W = box.width; H = box.height;
  canvas.width = Math.round(W * ratio); canvas.height = Math.round(H * ratio);
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  plot = {w: W - AXIS_W, h: H - AXIS_H};
}
function setScale() {
  const [, , h, l] = FRAMES[tf].bars, n = knownBars();
  const left = view.right - view.count, from = Math.max(0, Math.floor(left)), to = Math.min(n, Math.ceil(view.right));
  let top = -Infinity, low = Infinity;
  for (let i = from; i < to; i++) { top = Math.max(top, h[i]); low = Math.min(low, l[i]); }
  if (shown.signals) for (const s of D.signals) if (isKnown(s[0]) && s[9] && place(outcome(s).at) > left && place(s[0]) < view.right) {
    top = Math.max(top, s[3], s[4]); low = Math.min(low, s[3], s[4]);
  }
  if (!(top > low)) { const mid = n ? h[n - 1] : qC[0]; top = mid * 1.01; low = mid * 0.99; }
  const pad = (top - low) * 0.05;
  scale = {left, step: plot.w / view.count, top: top + pad, low: low - pad, perPrice: (plot.h - 14) / (top - low + 2 * pad)};
}
function line(x1, y1, x2, y2, style, width = 1, dash = []) {
  g.strokeStyle = style; g.lineWidth = width; g.setLineDash(dash);
  g.beginPath(); g.moveTo(x1, y1); g.lineTo(x2, y2); g.stroke(); g.setLineDash([]);
}
function word(text, x, y, style, align = "left") {
  g.font = "11px system-ui, sans-serif"; g.textAlign = align; g.textBaseline = "middle";
  g.lineWidth = 3; g.lineJoin = "round"; g.strokeStyle = color("--paper"); g.strokeText(text, x, y);
  g.fillStyle = style; g.fillText(text, x, y);
}
function note(kind, moment) { tally[kind] = (tally[kind] || 0) + 1; tally.latest = Math.max(tally.latest || 0, moment); }
const inView = (from, to) => to > scale.left && from < view.right;

function drawGrid() {
  const grid = color("--line"), dim = color("--dim");
  const span = (scale.top - scale.low) / Math.max(3, plot.h / 70), unit = 10 ** Math.floor(Math.log10(span));
  const step = [1, 2, 5, 10].map((m) => m * unit).find((s) => s >= span);
  for (let p = Math.ceil(scale.low / step) * step; p < scale.top; p += step) {
    line(0, Y(p), plot.w, Y(p), grid);
    word(price(p), plot.w + 6, Y(p), dim);
  }
  const {bars: [t], ms} = FRAMES[tf], each = Math.max(1, Math.ceil(90 / scale.step)) * ms;
  const gap = [DAY / 24, DAY / 8, DAY / 4, DAY / 2, DAY, 2 * DAY, 4 * DAY, 7 * DAY, 14 * DAY, 28 * DAY].find((s) => s >= each) || 56 * DAY;
  for (let i = Math.max(0, Math.floor(scale.left)); i < Math.min(knownBars(), view.right); i++) if (t[i] % gap < ms) {
    line(X(i), 0, X(i), plot.h, grid);
    word(gap < DAY ? when(t[i]).slice(5) : when(t[i]).slice(0, 10), X(i), plot.h + 11, dim, "center");
  }
}
/** Each zone once as it stands at `known`: a gap may belong to several legs, and is live while one of them holds it. */
function zonesAt() {
  const found = new Map();
  for (const [number, kind, open, low, high, since, mitigated, used] of D.zones) if (isKnown(since)) {
    const ended = [mitigated, used, D.breaks[number][7]].filter(isKnown), end = ended.length ? Math.min(...ended) : Infinity;
    const key = `${kind} ${open} ${D.breaks[number][1]}`, other = found.get(key);
    if (other) { other.since = Math.min(other.since, since); other.end = Math.max(other.end, end); } else {
      found.set(key, {kind, open, low, high, since, end, sign: D.breaks[number][1]});
    }
  }
  return [...found.values()].sort((a, b) => (a.end < b.end ? -1 : 1));
}
function drawZones() {
  for (const zone of zonesAt()) {
    const isLive = zone.end === Infinity;
    if (!shown[zone.kind] || (!isLive && !shown.ended)) continue;
    note(isLive ? "zonesLive" : "zonesEnded", zone.since);
    const until = place(isLive ? known : zone.end), from = place(zone.open);
    if (!inView(from, until)) continue;
    const tone = zone.kind === "ob" ? bySide(zone.sign) : color("--gap");
    const x = X(from), w = Math.max(2, X(until) - x), y = Y(zone.high), h = Math.max(1, Y(zone.low) - y);
    g.globalAlpha = isLive ? 0.28 : 0.07; g.fillStyle = tone; g.fillRect(x, y, w, h);
    g.globalAlpha = isLive ? 0.9 : 0.3; g.strokeStyle = tone; g.lineWidth = 1; g.strokeRect(x + 0.5, y + 0.5, w, h);
    g.globalAlpha = 1;
    if (isLive) word(zone.kind === "ob" ? "OB" : "FVG", Math.min(X(until), plot.w) - 4, y + h / 2, tone, "right");
  }
}
function drawRange() {
  const now = ruling();
  if (!now || now[1] < 0 || !shown.range) return;
  const [since, number, low, high] = now, [open, sign] = D.breaks[number];
  note("ranges", since);
  const from = X(place(open)), to = X(place(known)), tone = color("--range");
  const level = (r) => (sign > 0 ? high - r * (high - low) : low + r * (high - low));
  const [a, b] = [Y(level(D.ote[0])), Y(level(D.ote[1]))];
  g.globalAlpha = 0.16; g.fillStyle = color("--sweep"); g.fillRect(from, Math.min(a, b), to - from, Math.abs(b - a)); g.globalAlpha = 1;
  word("OTE", Math.max(from, 0) + 4, (a + b) / 2, color("--sweep"));
  line(from, Y(high), to, Y(high), tone, 1.3); line(from, Y(low), to, Y(low), tone, 1.3);
  line(from, Y(level(0.5)), to, Y(level(0.5)), tone, 1, [2, 4]);
  word("range high", Math.max(from, 0) + 4, Y(high) - 8, tone); word("range low", Math.max(from, 0) + 4, Y(low) + 9, tone);
}
function drawCandles() {
  const [t, o, h, l, c] = FRAMES[tf].bars, n = knownBars(), body = Math.max(1, Math.min(14, scale.step * 0.66));
  const up = color("--up"), down = color("--down");
  for (let i = Math.max(0, Math.floor(scale.left)); i < Math.min(n, view.right); i++) {
    note("bars", t[i] + FRAMES[tf].ms);
    const x = X(i + 0.5), tone = c[i] >= o[i] ? up : down;
    line(x, Y(h[i]), x, Y(l[i]), tone);
    const y = Y(Math.max(o[i], c[i]));
    g.fillStyle = tone; g.fillRect(x - body / 2, y, body, Math.max(1, Y(Math.min(o[i], c[i])) - y));
  }
}
function drawSwings() {
  if (!shown.swings) return;
  for (const [open, p, isHigh, since] of D.swings) if (isKnown(since)) {
    note("swings", since);
    const x = X(place(open) + (tf === "4h" ? 0.5 : 8)), y = Y(p) + (isHigh ? -5 : 5), d = isHigh ? -5 : 5;
    if (x < 0 || x > plot.w) continue;
    g.fillStyle = color("--dim"); g.beginPath(); g.moveTo(x, y); g.lineTo(x - 4, y + d); g.lineTo(x + 4, y + d); g.fill();
  }
}
function drawBreaks() {
  if (!shown.breaks) return;
  for (const [open, sign, kind, level, swing, since, , ended] of D.breaks) if (isKnown(since) && level !== null) {
    note("breaks", since);
    const from = place(swing), to = place(open) + (tf === "4h" ? 0.5 : 16);
    if (!inView(from, to)) continue;
    g.globalAlpha = isKnown(ended) ? 0.55 : 1;
    line(X(from), Y(level), X(to), Y(level), bySide(sign), 1.5, kind === "choch" ? [5, 3] : []);
    word(kind === "choch" ? "CHoCH" : "BOS", (X(from) + X(to)) / 2, Y(level) - sign * 8, bySide(sign), "center");
    g.globalAlpha = 1;
  }
}
function drawSweeps() {
  if (!shown.sweeps) return;
  let worded = -Infinity;
  for (const [open, p, sign, since, swing] of D.sweeps) if (isKnown(since)) {
    note("sweeps", since);
    const x = X(place(open) + (tf === "4h" ? 0.5 : 8)), tone = color("--sweep");
    if (x < 0 || X(place(swing)) > plot.w) continue;
    line(X(place(swing)), Y(p), x, Y(p), tone, 1, [1, 3]);
    line(x - 3, Y(p) - 3, x + 3, Y(p) + 3, tone, 1.5); line(x - 3, Y(p) + 3, x + 3, Y(p) - 3, tone, 1.5);
    if (x - worded < 60) continue;
    worded = x;
    word("sweep", x, Y(p) + sign * 12, tone, "center");
  }
}
function drawSignals() {
  if (!shown.signals) return;
  for (const s of D.signals) if (isKnown(s[0])) {
    const [at, sign, entry, stop, target, , , , , acted] = s;
    note("signals", at);
    const end = outcome(s), x1 = X(place(at)), x2 = Math.max(X(place(end.at)), x1 + 3);
    if (x2 < 0 || x1 > plot.w) continue;
    const y = Y(entry);
    if (acted) {
      g.globalAlpha = 0.13;
      g.fillStyle = color("--up"); g.fillRect(x1, Math.min(y, Y(target)), x2 - x1, Math.abs(Y(target) - y));
      g.fillStyle = color("--down"); g.fillRect(x1, Math.min(y, Y(stop)), x2 - x1, Math.abs(Y(stop) - y));
      g.globalAlpha = 1;
      line(x1, y, x2, y, color("--ink"), 1.2);
      line(x1, Y(target), x2, Y(target), color("--up"), 1.2); line(x1, Y(stop), x2, Y(stop), color("--down"), 1.2);
      if (end.word !== "running") word(end.word, x2 + 4, Y(end.word === "stop" ? stop : target), color("--ink"));
    }
    g.globalAlpha = acted ? 1 : 0.4; g.fillStyle = bySide(sign);
    g.beginPath(); g.moveTo(x1, y); g.lineTo(x1 - 9, y + sign * 13); g.lineTo(x1 + 9, y + sign * 13); g.fill(); g.globalAlpha = 1;
  }
}
function drawNow() {
  const x = X(place(known)), n = knownBars(), last = n ? FRAMES[tf].bars[4][n - 1] : null;
  if (x >= 0 && x <= plot.w) { line(x, 0, x, plot.h, color("--ink"), 1, [4, 3]); word("known", x + 4, 8, color("--dim")); }
  if (last !== null && last < scale.top && last > scale.low) {
    g.fillStyle = color("--ink"); g.fillRect(plot.w, Y(last) - 9, AXIS_W, 18);
    g.font = "11px system-ui, sans-serif"; g.textAlign = "left"; g.textBaseline = "middle"; g.fillStyle = color("--paper"); g.fillText(price(last), plot.w + 6, Y(last));
  }
}
function drawPointer() {
  const box = $("hover"), [t, o, h, l, c] = FRAMES[tf].bars;
  const i = pointer ? Math.floor(scale.left + pointer.x / scale.step) : -1;
  box.hidden = !(i >= 0 && i < knownBars());
  if (!pointer) return;
  line(0, pointer.y, plot.w, pointer.y, color("--dim"), 1, [2, 3]);
  word(price(scale.top - (pointer.y - 14) / scale.perPrice), plot.w + 6, pointer.y, color("--ink"));
  if (box.hidden) return;
  line(X(i + 0.5), 0, X(i + 0.5), plot.h, color("--dim"), 1, [2, 3]);
  box.textContent = `${when(t[i])}  O ${price(o[i])}  H ${price(h[i])}  L ${price(l[i])}  C ${price(c[i])}`;
}
function draw() {
  for (const key of Object.keys(tally)) delete tally[key];
  setScale();
  g.fillStyle = color("--paper"); g.fillRect(0, 0, W, H);
  drawGrid();
  g.save(); g.beginPath(); g.rect(0, 0, plot.w, plot.h); g.clip();
  drawZones(); drawRange(); drawCandles(); drawSwings(); drawBreaks(); drawSweeps(); drawSignals();
  g.restore();
  drawNow(); drawPointer();
  // what is on the page, for whoever reads it without eyes
  document.body.dataset.shown = JSON.stringify({tf, known, ...tally});
}

// --- the panel --------------------------------------------------------------------------------------------------------------
function element(tag, text, parent, className) {
  const one = document.createElement(tag);
  if (text !== undefined) one.textContent = text;
  if (className) one.className = className;
  parent.append(one);
  return one;
}
function pairs(parent, rows) { const list = element("dl", undefined, parent); for (const [k, v] of rows) { element("dt", k, list); element("dd", v, list); } }
function fill() {
  const state = $("state"), ladder = $("ladder"), n = upto(qT, known - QUARTER);
  state.replaceChildren(); ladder.replaceChildren();
  element("h2", "Structure", state);
  const now = ruling();
  if (now && now[1] >= 0) {
    const [open, sign, kind, , , , , ] = D.breaks[now[1]], r = sign > 0 ? (now[3] - qC[n - 1]) / (now[3] - now[2]) : (qC[n - 1] - now[2]) / (now[3] - now[2]);
    const zones = D.zones.filter((z) => z[0] === now[1] && isKnown(z[5])), live = zones.filter((z) => !isKnown(z[6]) && !isKnown(z[7]));
    pairs(state, [["ruling break", `${sign > 0 ? "up" : "down"}, ${kind === "choch" ? "CHoCH" : "BOS"}`], ["break bar", when(open)],
      ["range high", price(now[3])], ["range low", price(now[2])],
      ["retracement", r.toFixed(3)], ["OTE band", `${D.ote[0]} \u2013 ${D.ote[1]}`], ["live zones of its leg", `${live.length} of ${zones.length}`]]);
  } else element("div", "no valid break", state, "open");
  const last = D.signals.filter((s) => isKnown(s[0]) && s[9]).pop();
  if (last) {
    element("h2", "Last signal", state);
    pairs(state, [[last[1] > 0 ? "long" : "short", when(last[0])], ["setup", last[7]], ["entry", price(last[2])], ["stop", price(last[3])],
      ["target", `${price(last[4])} (${last[6]} R)`], ["score", last[5]], ["since then", outcome(last).word]]);
  }
  if (!n) return;
  const [failed, ...cells] = D.ladders[n - 1];
  element("h2", `Gates at ${when(qT[n - 1] + QUARTER)}`, ladder);
  const list = element("ol", undefined, ladder);
  D.gates.forEach((name, i) => {
    const isReached = 2 * i < cells.length;
    const item = element("li", undefined, list, isReached ? (i === failed ? "failed" : "passed") : "open"), seen = cells[2 * i + 1];
    const said = typeof seen === "number" ? String(+seen.toPrecision(5)) : seen;
    if (isReached && said !== null && said.length <= 16) element("span", said, item);
    element("b", name.replace("_", " "), item);
    if (isReached && said !== null && said.length > 16) element("em", said, item);
    if (isReached) element("small", D.texts[cells[2 * i]], item);
  });
  document.body.dataset.gate = failed < 0 ? "signal" : D.gates[failed];
}
function show() {
  $("known").value = Math.round((known - FIRST) / QUARTER);
  $("moment").textContent = when(known) + " UTC";
  for (const button of document.querySelectorAll("[data-tf]")) button.setAttribute("aria-pressed", button.dataset.tf === tf);
  fill(); draw();
}

// --- what the user does -----------------------------------------------------------------------------------------------------
/** Bring `known` into view: as the right edge with a little room for what comes. */
function follow() { view.right = place(known) + view.count * 0.1; }
function setKnown(moment) { known = Math.min(LAST, Math.max(FIRST, Math.round(moment / QUARTER) * QUARTER)); follow(); show(); }
function setFrame(name) { if (!FRAMES[name] || name === tf) return; tf = name; view.count = name === "4h" ? 90 : 130; follow(); show(); }
function toSignal(direction) {
  const moments = D.signals.filter((s) => s[9]).map((s) => s[0]), i = direction > 0 ? upto(moments, known) : upto(moments, known - 1) - 1;
  if (moments[i] !== undefined) setKnown(moments[i]);
}
function readHash() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  setFrame(wanted.get("tf"));
  const at = Number(wanted.get("at"));
  if (wanted.has("at") && Number.isFinite(at)) setKnown(at); else { follow(); show(); }
}
for (const [key, label, tone] of LAYERS) {
  const holder = element("label", undefined, $("layers")), box = element("input", undefined, holder);
  element("i", undefined, holder).style.background = `var(${tone})`;
  holder.append(label); box.type = "checkbox"; box.checked = true;
  box.addEventListener("change", () => { shown[key] = box.checked; draw(); });
}
for (const button of document.querySelectorAll("[data-tf]")) button.addEventListener("click", () => setFrame(button.dataset.tf));
$("known").max = Math.round((LAST - FIRST) / QUARTER);
$("known").addEventListener("input", (event) => setKnown(FIRST + Number(event.target.value) * QUARTER));
$("back").addEventListener("click", () => setKnown(known - FRAMES[tf].ms));
$("forth").addEventListener("click", () => setKnown(known + FRAMES[tf].ms));
$("previous").addEventListener("click", () => toSignal(-1));
$("next").addEventListener("click", () => toSignal(1));
addEventListener("keydown", (event) => {
  if (event.target === $("known") || event.ctrlKey || event.metaKey || event.altKey) return;
  const step = event.shiftKey ? DAY : FRAMES[tf].ms;
  if (event.key === "ArrowLeft") setKnown(known - step); else if (event.key === "ArrowRight") setKnown(known + step);
  else if (event.key === ",") toSignal(-1); else if (event.key === ".") toSignal(1);
});
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  const anchor = scale.left + event.offsetX / scale.step, count = Math.min(2000, Math.max(15, view.count * (event.deltaY > 0 ? 1.15 : 0.87)));
  view.right = anchor + (view.right - anchor) * count / view.count; view.count = count; draw();
}, {passive: false});
canvas.addEventListener("pointerdown", (event) => { drag = {x: event.clientX, right: view.right}; canvas.setPointerCapture(event.pointerId); });
canvas.addEventListener("pointerup", () => { drag = null; });
canvas.addEventListener("pointermove", (event) => {
  pointer = {x: event.offsetX, y: event.offsetY};
  if (drag) view.right = drag.right - (event.clientX - drag.x) / scale.step;
  draw();
});
canvas.addEventListener("pointerleave", () => { pointer = null; draw(); });
addEventListener("resize", () => { fit(); draw(); });
addEventListener("hashchange", readHash);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
addEventListener("error", (event) => { document.body.dataset.fault = event.message; });
document.title = $("title").textContent = D.title;
$("note").textContent = D.note;
fit(); readHash();
