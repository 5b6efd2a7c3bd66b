// The stage: draws scenes made by Python and moves them at the speed of the hand. It holds no mathematics of the subject:
// it chooses rows of tables. The same file runs as a Streamlit component and inside the self-contained page.
//
//   1 messages   2 markup and numbers   3 colours   4 pens   5 axes   6 layers   7 labels   8 the stage   9 entry points

// ---------------------------------------------------------------------------------------------- 1 messages (see pack.py)

const TYPES = { f8: Float64Array, f4: Float32Array, u2: Uint16Array, u1: Uint8Array };
const NAN_CODE = { u2: 65535, u1: 255 };

function unpack(bytes) {
  const raw = bytes.slice().buffer; // a copy begins at byte 0, so the arrays are aligned
  const size = new DataView(raw).getUint32(0, true);
  const scene = JSON.parse(new TextDecoder().decode(new Uint8Array(raw, 4, size)));
  const blocks = scene.arrays.map((row) => {
    const count = row.shape.reduce((a, b) => a * b, 1);
    return { ...row, data: new TYPES[row.type](raw, 4 + size + row.offset, count) };
  });
  const channel = (node) => new Channel(node, blocks);
  for (const control of scene.controls) control.values = decode(blocks[control.values.a]);
  for (const readout of scene.readouts) readout.value = channel(readout.value);
  for (const panel of scene.panels) {
    for (const layer of panel.layers) {
      for (const name in layer) if (layer[name]?.a !== undefined || layer[name]?.s) layer[name] = channel(layer[name]);
    }
  }
  return scene;
}

function decode(block, from = 0, count = block.data.length, out = null) {
  if (!NAN_CODE[block.type]) return block.data.subarray(from, from + count);
  const nan = NAN_CODE[block.type], step = (block.hi - block.lo) / (nan - 1), values = out ?? new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const code = block.data[from + i];
    values[i] = code === nan ? NaN : block.lo + step * code;
  }
  return values;
}

/** One array at rest, or a sweep for each of some controls; a film's sweep is a list of chunks that grows. */
class Channel {
  constructor(node, blocks) {
    if (node.s) {
      this.sweeps = {};
      for (const key in node.s) {
        const block = blocks[node.s[key]];
        this.shape = block.shape.slice(1);
        this.sweeps[key] = [{ first: 0, rows: block.shape[0], block }];
      }
      this.width = this.shape.reduce((a, b) => a * b, 1);
    } else {
      this.block = blocks[node.a];
      this.shape = this.block.shape;
      this.still = decode(this.block);
    }
  }

  /** Block and offset of row `index` of the sweep over `key`. */
  find(key, index) {
    const chunks = this.sweeps[key];
    let low = 0, high = chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (chunks[middle].first <= index) low = middle;
      else high = middle - 1;
    }
    const chunk = chunks[low], row = Math.max(0, Math.min(chunk.rows - 1, index - chunk.first));
    return [chunk.block, row * this.width];
  }

  row(key, index) {
    const [block, from] = this.find(key, index);
    if (!NAN_CODE[block.type]) return decode(block, from, this.width);
    if (this.cached !== block || this.cachedFrom !== from) {
      this.scratch = decode(block, from, this.width, this.scratch);
      this.cached = block;
      this.cachedFrom = from;
    }
    return this.scratch;
  }

  /** Put the chunks of an older channel in front; `have` frames were there, this one begins at frame `first`. */
  continueFrom(old, clock, first, have) {
    if (!this.sweeps?.[clock]) return;
    const [fresh] = this.sweeps[clock];
    const skip = have - first, kept = old.sweeps[clock];
    if (skip >= fresh.rows) { this.sweeps[clock] = kept; return; }
    const data = fresh.block.data.subarray(skip * this.width);
    this.sweeps[clock] = [...kept, { first: have, rows: fresh.rows - skip, block: { ...fresh.block, data } }];
  }
}

/** Every channel of a scene, in an order that depends on its structure only. */
function channels(scene) {
  const all = scene.readouts.map((readout) => readout.value);
  for (const panel of scene.panels) {
    for (const layer of panel.layers) for (const name in layer) if (layer[name] instanceof Channel) all.push(layer[name]);
  }
  return all;
}

// --------------------------------------------------------------------------------------------- 2 markup and numbers

const ROLES = ['real', 'fake', 'disc', 'theory', 'muted', 'accent', 'warn', 'text'];
const parsed = new Map();

/** Runs {text | slot, italic, script, role} of a markup string; see scene.py. */
function markup(source) {
  if (!parsed.has(source)) {
    if (parsed.size > 2000) parsed.clear();
    parsed.set(source, [...parseRuns(source, {})]);
  }
  return parsed.get(source);
}

function* parseRuns(s, style) {
  let text = '';
  const closing = (from, open, close) => {
    for (let i = from, depth = 0; i < s.length; i++) {
      if (s[i] === '\\') i++;
      else if (s[i] === open) depth++;
      else if (s[i] === close && --depth === 0) return i;
    }
    return -1;
  };
  const word = /[\p{L}\p{N})\]}]/u;
  for (let i = 0; i < s.length; i++) {
    const c = s[i];
    let inner = null, next = style, end = -1;
    if (c === '\\' && i + 1 < s.length) { text += s[++i]; continue; }
    if ((c === '_' || c === '^') && s[i + 1] === '{' && (end = closing(i + 1, '{', '}')) > 0) {
      inner = s.slice(i + 2, end);
      next = { ...style, script: c === '_' ? -1 : 1 };
    } else if (c === '{' && (end = s.indexOf('}', i)) > 0) {
      if (text) yield { ...style, text };
      text = '';
      const [key, form] = s.slice(i + 1, end).split(':');
      yield { ...style, slot: key, form };
      i = end;
      continue;
    } else if (c === '[' && (end = closing(i, '[', ']')) > 0) {
      const bar = s.lastIndexOf('|', end), role = s.slice(bar + 1, end);
      if (bar > i && ROLES.includes(role)) { inner = s.slice(i + 1, bar); next = { ...style, role }; }
    } else if (c === '*' && !(i && word.test(s[i - 1])) && /[^\s*]/.test(s[i + 1] ?? ' ')) {
      end = s.indexOf('*', i + 1);
      if (end > 0 && s[end - 1] !== ' ') { inner = s.slice(i + 1, end); next = { ...style, italic: true }; }
    }
    if (inner === null) { text += c; continue; }
    if (text) yield { ...style, text };
    text = '';
    yield* parseRuns(inner, next);
    i = end;
  }
  if (text) yield { ...style, text };
}

const SUPER = { '-': '⁻', 0: '⁰', 1: '¹', 2: '²', 3: '³', 4: '⁴', 5: '⁵', 6: '⁶', 7: '⁷', 8: '⁸', 9: '⁹' };

/** A number as it is read: real minus, infinity sign, en dash for "no number". `form`: `.2f`, `.1%`, `+.3f`, `.1e`, `.3g`. */
function format(value, digits = 2, form = '') {
  if (Number.isNaN(value)) return '–';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  const [, plus, given, style] = /^(\+?)(?:\.(\d+))?([feg%]?)$/.exec(form) ?? ['', '', undefined, ''];
  const places = given === undefined ? digits : +given;
  const shown = style === '%' ? 100 * value : value, size = Math.abs(shown);
  const small = style === 'g' && size > 0 && size < 1e-3, large = size >= (style === 'g' ? 1e5 : 1e7) && style !== 'f' && style !== '%';
  let text;
  if (style === 'e' || small || large) {
    const [mantissa, power] = shown.toExponential(style === 'e' ? places : style === 'g' ? Math.max(0, places - 1) : 2).split('e');
    text = `${mantissa}·10${[...String(+power)].map((c) => SUPER[c]).join('')}`;
  } else if (style === 'g') text = shown.toFixed(size ? Math.max(0, Math.min(12, places - 1 - Math.floor(Math.log10(size)))) : 0);
  else text = shown.toFixed(places);
  if (/^-[0.]*$/.test(text)) text = text.slice(1);
  return (plus && text[0] !== '-' ? '+' : '') + text.replace('-', '−') + (style === '%' ? ' %' : '');
}

// ------------------------------------------------------------------------------------------------------- 3 colours

const HUES = {
  light: { real: '#0072B2', fake: '#D55E00', disc: '#009E73', accent: '#CC79A7', warn: '#C0182B' },
  dark: { real: '#56B4E9', fake: '#FF8A3D', disc: '#2CD3A0', accent: '#E59CC5', warn: '#FF6B78' },
};

function rgb(colour) {
  const probe = rgb.pen ??= document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  probe.clearRect(0, 0, 1, 1);
  probe.fillStyle = '#888';
  probe.fillStyle = colour;
  probe.fillRect(0, 0, 1, 1);
  return [...probe.getImageData(0, 0, 1, 1).data.slice(0, 3)];
}
const mix = (a, b, t) => a.map((v, i) => Math.round(v + (b[i] - v) * t));
const css = (c) => `rgb(${c.join(',')})`;

function readTheme(element) {
  const style = getComputedStyle(element), get = (name, or) => style.getPropertyValue(name).trim() || or;
  const ground = rgb(get('--st-background-color', '#fff')), text = rgb(get('--st-text-color', '#222'));
  const dark = 0.299 * ground[0] + 0.587 * ground[1] + 0.114 * ground[2] < 128;
  const hues = HUES[dark ? 'dark' : 'light'];
  const role = { text: css(text), theory: css(mix(ground, text, 0.7)), muted: css(mix(ground, text, dark ? 0.6 : 0.62)), ...hues };
  return {
    dark, role, ground: css(ground), groundRgb: ground, font: get('--st-font', style.fontFamily || 'sans-serif'),
    hueRgb: Object.fromEntries(Object.entries(role).map(([name, colour]) => [name, rgb(colour)])),
    grid: css(mix(ground, text, dark ? 0.13 : 0.09)), axis: css(mix(ground, text, 0.38)), tick: role.muted,
  };
}

/** 256 colours for the codes of a heatmap; the last, "no number", is see-through. */
function palette(layer, theme) {
  const colours = new Uint8ClampedArray(4 * 256), middle = (layer.mid - layer.lo) / (layer.hi - layer.lo);
  for (let code = 0; code < 255; code++) {
    const t = code / 254;
    const signed = layer.scale === 'sequential' ? t : t < middle ? t / middle - 1 : (t - middle) / (1 - middle);
    const hue = theme.hueRgb[layer.scale === 'sequential' ? layer.role : signed < 0 ? 'fake' : 'real'];
    colours.set([...mix(theme.groundRgb, hue, Math.abs(signed) * layer.opacity), 255], 4 * code);
  }
  return colours;
}

// ---------------------------------------------------------------------------------------------------------- 4 pens

/** The part of the canvas's pen that the stage uses, written down as SVG. */
class SvgPen {
  constructor(width, height, measure) {
    Object.assign(this, { width, height, measurer: measure, out: [], path: '', stack: [], dash: [], clips: 0 });
    Object.assign(this, { globalAlpha: 1, lineWidth: 1, fillStyle: '#000', strokeStyle: '#000', font: '10px sans-serif' });
    Object.assign(this, { textAlign: 'left', textBaseline: 'alphabetic', lineJoin: 'round', lineCap: 'round' });
  }
  static escape(text) { return String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`); }
  static n(v) { return Number(v.toFixed(2)); }
  save() { this.stack.push([this.globalAlpha, this.dash, this.out.length, 0]); }
  restore() {
    const [alpha, dash, , groups] = this.stack.pop();
    this.globalAlpha = alpha;
    this.dash = dash;
    this.out.push('</g>'.repeat(groups));
  }
  beginPath() { this.path = ''; }
  moveTo(x, y) { this.path += `M${SvgPen.n(x)} ${SvgPen.n(y)}`; }
  lineTo(x, y) { this.path += `${this.path ? 'L' : 'M'}${SvgPen.n(x)} ${SvgPen.n(y)}`; }
  closePath() { this.path += 'Z'; }
  rect(x, y, w, h) { const n = SvgPen.n; this.path += `M${n(x)} ${n(y)}h${n(w)}v${n(h)}h${n(-w)}Z`; }
  arc(x, y, r) { const n = SvgPen.n; this.path += `M${n(x - r)} ${n(y)}a${n(r)} ${n(r)} 0 1 0 ${n(2 * r)} 0a${n(r)} ${n(r)} 0 1 0 ${n(-2 * r)} 0`; }
  setLineDash(dash) { this.dash = dash; }
  clip() {
    this.out.push(`<clipPath id="c${++this.clips}"><path d="${this.path}"/></clipPath><g clip-path="url(#c${this.clips})">`);
    if (this.stack.length) this.stack[this.stack.length - 1][3]++;
  }
  fill() { this.out.push(`<path d="${this.path}" fill="${this.fillStyle}" fill-opacity="${SvgPen.n(this.globalAlpha)}"/>`); }
  stroke() {
    const dash = this.dash.length ? ` stroke-dasharray="${this.dash.join(' ')}"` : '';
    this.out.push(`<path d="${this.path}" fill="none" stroke="${this.strokeStyle}" stroke-width="${SvgPen.n(this.lineWidth)}" stroke-opacity="${SvgPen.n(this.globalAlpha)}" stroke-linejoin="${this.lineJoin}" stroke-linecap="${this.lineCap}"${dash}/>`);
  }
  fillRect(x, y, w, h) { this.beginPath(); this.rect(x, y, w, h); this.fill(); }
  words(text, x, y, paint) {
    const [, style, weight, size, family] = /^(italic )?(\d+ )?([\d.]+)px (.*)$/s.exec(this.font);
    this.out.push(`<text x="${SvgPen.n(x)}" y="${SvgPen.n(y)}" font-family="${SvgPen.escape(family)}" font-size="${size}"${style ? ' font-style="italic"' : ''}${weight ? ` font-weight="${weight.trim()}"` : ''} xml:space="preserve" ${paint}>${SvgPen.escape(text)}</text>`);
  }
  fillText(text, x, y) { this.words(text, x, y, `fill="${this.fillStyle}" fill-opacity="${SvgPen.n(this.globalAlpha)}"`); }
  strokeText(text, x, y) { this.words(text, x, y, `fill="none" stroke="${this.strokeStyle}" stroke-width="${this.lineWidth}" stroke-linejoin="round"`); }
  measureText(text) { this.measurer.font = this.font; return this.measurer.measureText(text); }
  drawImage(image, x, y, w, h) {
    const n = SvgPen.n;
    this.out.push(`<image x="${n(x)}" y="${n(y)}" width="${n(w)}" height="${n(h)}" preserveAspectRatio="none" href="${image.toDataURL()}"/>`);
  }
  text(title) {
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${this.width}" height="${this.height}" viewBox="0 0 ${this.width} ${this.height}"><title>${SvgPen.escape(title)}</title>${this.out.join('')}</svg>`;
  }
}

// --------------------------------------------------------------------------------------------------------- 5 axes

function niceTicks(axis, room, apart) {
  if (axis.ticks) return axis.ticks.filter((v) => v >= axis.lo && v <= axis.hi);
  const most = Math.max(2, Math.floor(room / apart));
  if (axis.log) {
    const low = Math.ceil(Math.log10(axis.lo) - 1e-9), high = Math.floor(Math.log10(axis.hi) + 1e-9);
    const step = Math.max(1, Math.ceil((high - low) / most));
    return Array.from({ length: Math.floor((high - low) / step) + 1 }, (_, i) => 10 ** (low + i * step));
  }
  const rough = (axis.hi - axis.lo) / most, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.999);
  const ticks = [];
  for (let k = Math.ceil(axis.lo / step - 1e-9); k * step <= axis.hi + step * 1e-9; k++) ticks.push(k * step);
  return ticks;
}

/** The value of an axis at a place in pixels, kept within its limits: the way back from `scale`. */
function valueAt(axis, from, to, place) {
  const part = Math.max(0, Math.min(1, (place - from) / (to - from)));
  const value = axis.log ? axis.lo * (axis.hi / axis.lo) ** part : axis.lo + part * (axis.hi - axis.lo);
  return Math.max(axis.lo, Math.min(axis.hi, value));
}

/** Those ticks whose names do not touch, `room` pixels being the length of the axis. */
function spaced(ticks, axis, room, apart) {
  const at = scale(axis, 0, room);
  let last = -Infinity;
  return ticks.filter((v) => at(v) - last >= apart && ((last = at(v)), true));
}

function tickTexts(axis, ticks) {
  if (axis.tick_labels?.length) return ticks.map((v) => axis.tick_labels[axis.ticks.indexOf(v)]);
  const plain = axis.lo >= 1e-3 && axis.hi <= 1e4;
  if (axis.log) return ticks.map((v) => (plain ? String(+v.toPrecision(3)) : `10^{${String(Math.round(Math.log10(v))).replace('-', '−')}}`));
  const decimals = (v) => (String(+v.toPrecision(6)).split('.')[1] ?? '').length;
  const places = Math.min(6, Math.max(0, ...ticks.map(decimals)));
  return ticks.map((v) => format(v, places));
}

/** Position of a value on an axis in pixels, kept within a range that every pen can take. */
function scale(axis, from, to) {
  const f = axis.log ? Math.log : (v) => v, lo = f(axis.lo), k = (to - from) / (f(axis.hi) - lo);
  const far = 20000;
  return axis.log
    ? (v) => (v > 0 ? Math.max(-far, Math.min(far, from + (Math.log(v) - lo) * k)) : Number.isNaN(v) ? NaN : from - Math.sign(k) * far)
    : (v) => { const p = from + (v - lo) * k; return p > far ? far : p < -far ? -far : p; };
}

/** One drawing of the scene by any pen: measures, lays the panels out, draws axes and layers, places the labels. */
const LOWEST = 720; // pixels of the window for which Python chooses the stage's height

class Picture {
  constructor(stage, pen, width, height) {
    Object.assign(this, { stage, pen, width, height, theme: stage.theme, handles: [], drawArea: null });
    this.type = stage.type;
    this.line = stage.line;
    this.alone = stage.stacked;
    this.least = stage.view.lecture ? 24.2 / stage.type : 0; // even an index is read from the last row
    this.widths = stage.widths;
  }

  font(size = 1, italic = false, weight = 400) {
    const name = `${italic ? 'italic ' : ''}${weight} ${(this.type * size).toFixed(2)}px ${this.theme.font}`;
    if (name !== this.current) this.pen.font = this.current = name;
    return name;
  }

  width_(text, font) {
    const key = font + '|' + text;
    let w = this.widths.get(key);
    if (w === undefined) {
      if (this.widths.size > 5000) this.widths.clear();
      this.widths.set(key, (w = this.pen.measureText(text).width));
    }
    return w;
  }

  /** The runs of a markup string in lines no wider than `room`: it is broken between words. */
  fold(source, size, room) {
    if (this.measure(source, size) <= room) return [source];
    const lines = [[]];
    let wide = 0;
    for (const run of markup(source)) {
      for (const text of run.slot ? [null] : run.text.split(/(?<= )/)) {
        const part = text === null ? run : { ...run, text }, w = this.walk([part], size, 400, null);
        if (wide && wide + w > room) { lines.push([]); wide = 0; }
        lines.at(-1).push(part);
        wide += w;
      }
    }
    return lines;
  }

  /** Walk over the pieces of a markup string: piece(text, x, rise), digits of live numbers in cells of one width. */
  walk(source, size, weight, piece) {
    let x = 0;
    for (const run of typeof source === 'string' ? markup(source) : source) {
      const small = run.script ? Math.max(size * 0.74, Math.min(size, this.least)) : size, font = this.font(small, run.italic, weight);
      const rise = run.script ? (run.script > 0 ? 0.36 : -0.2) * this.type * size : 0;
      if (run.slot) {
        const cell = this.width_('0', font);
        for (const c of this.stage.number(run.slot, run.form)) {
          const w = this.width_(c, font), room = c >= '0' && c <= '9' ? cell : w;
          piece?.(c, x + (room - w) / 2, rise, run);
          x += room;
        }
      } else {
        piece?.(run.text, x, rise, run);
        x += this.width_(run.text, font);
      }
    }
    return x;
  }

  measure(source, size = 1, weight = 400) { return this.walk(source, size, weight, null); }

  /** Write markup with its baseline at y; a halo of the ground keeps it readable on lines. */
  write(source, x, y, { size = 1, colour = this.theme.role.text, align = 'left', halo = false, weight = 400 } = {}) {
    const pen = this.pen, width = this.measure(source, size, weight);
    const from = x - (align === 'center' ? width / 2 : align === 'right' ? width : 0);
    if (halo) {
      pen.strokeStyle = this.theme.ground;
      pen.lineWidth = this.type * 0.3;
      pen.lineJoin = 'round';
      this.walk(source, size, weight, (text, dx, rise) => pen.strokeText(text, from + dx, y - rise));
    }
    this.walk(source, size, weight, (text, dx, rise, run) => {
      pen.fillStyle = run.role ? this.theme.role[run.role] : colour;
      pen.fillText(text, from + dx, y - rise);
    });
    return width;
  }

  draw() {
    const pen = this.pen;
    pen.textBaseline = 'alphabetic';
    pen.textAlign = 'left';
    pen.lineJoin = 'round';
    pen.lineCap = 'round';
    pen.fillStyle = this.theme.ground;
    pen.fillRect(0, 0, this.width, this.height);
    this.boxes = this.layout();
    this.boxes.forEach((box) => this.panel(box));
  }

  /**
   * The plot rectangle of every panel: first the margins that ticks and names need, then the rest is shared by the ratios.
   * Panels of a column share their left edge, panels of a row their lower edge.
   */
  layout() {
    const t = this.type, boxes = this.margins(), gap = [t * 1.7, t * 0.8];
    const track = (name, ratio, before, after, room, apart) => {
      const keys = [...new Set(boxes.map((b) => b[name]))].sort((a, b) => a - b);
      // A panel over several rows takes what the others leave it; it has its head in the first and its foot in the last.
      const counted = (k) => boxes.filter((b) => b[name] === k && (name === 'c' || b.span === 1));
      const most = (k, f) => Math.max(...(counted(k).length ? counted(k) : boxes.filter((b) => b[name] === k)).map(f));
      const last = (b) => (name === 'c' ? b.c : keys.filter((k) => k < b.r + b.span).at(-1));
      const foot = (k) => Math.max(0, ...boxes.filter((b) => last(b) === k).map((b) => b[after]));
      const lines = keys.map((k) => ({ k, before: Math.max(...boxes.filter((b) => b[name] === k).map((b) => b[before])), after: foot(k), share: most(k, (b) => b[ratio]) }));
      const free = room - apart * (keys.length - 1) - lines.reduce((sum, l) => sum + l.before + l.after, 0);
      const total = lines.reduce((sum, l) => sum + l.share, 0);
      for (const line of lines) line.size = Math.max(8, (free * line.share) / total);
      return lines;
    };
    const place = (lines, name, apart) => {
      let at = 0;
      for (const line of lines) {
        line.from = at + line.before;
        line.to = line.from + line.size;
        for (const box of boxes) if (box[name] === line.k) box[`${name}Line`] = { ...line, start: at, end: line.to + line.after };
        at = line.to + line.after + apart;
      }
    };
    const rows = track('r', 'high', 'top', 'bottom', this.height, gap[1]);
    const columns = track('c', 'broad', 'left', 'right', this.width, gap[0]);
    place(rows, 'r', gap[1]);
    for (const box of boxes.filter((b) => b.span > 1)) {
      const last = rows.find((row) => row.k === box.r + box.span - 1) ?? rows[rows.length - 1];
      Object.assign(box.rLine, { to: last.to, end: last.to + last.after });
    }
    this.narrowSquares(boxes, columns);
    place(columns, 'c', gap[0]);
    for (const box of boxes) {
      const { cLine, rLine, panel } = box;
      Object.assign(box, { x0: cLine.from, x1: cLine.to, y0: rLine.from, y1: rLine.to });
      box.cell = { x: cLine.start, w: cLine.end - cLine.start, y: rLine.start, h: rLine.end - rLine.start };
      if (panel.equal_aspect) {
        const { x, y } = panel, unit = Math.min((box.x1 - box.x0) / (x.hi - x.lo), (box.y1 - box.y0) / (y.hi - y.lo));
        const dx = (box.x1 - box.x0 - unit * (x.hi - x.lo)) / 2, dy = (box.y1 - box.y0 - unit * (y.hi - y.lo)) / 2;
        Object.assign(box, { x0: box.x0 + dx, x1: box.x1 - dx, y0: box.y0 + dy, y1: box.y1 - dy });
      }
      box.X = scale(panel.x, box.x0, box.x1);
      box.Y = scale(panel.y, box.y1, box.y0);
    }
    return boxes;
  }

  /** What each panel needs around its plot. */
  margins() {
    const panels = this.stage.panels(), t = this.type, order = [...panels].sort((a, b) => a.row - b.row || a.column - b.column);
    return panels.map((panel) => {
      const [r, c] = this.alone ? [order.indexOf(panel), 0] : [panel.row, panel.column];
      const high = this.alone ? this.stage.stackHeight(panel, this.width) : panel.height_ratio, broad = this.alone ? 1 : panel.width_ratio;
      const share = high / panels.filter((p) => this.alone || p.column === panel.column).reduce((sum, p) => sum + (this.alone ? this.stage.stackHeight(p, this.width) : p.height_ratio), 0);
      const room = Math.max(2 * t, this.height * share - 3.6 * t);
      const yTicks = panel.y.visible ? spaced(niceTicks(panel.y, room, t * 3.4), panel.y, room, t * 1.3) : [];
      const yTexts = tickTexts(panel.y, yTicks), widest = Math.max(0, ...yTexts.map((text) => this.measure(text, 0.92)));
      const long = panel.x.label && this.measure(panel.x.label, 0.96) > (this.width / Math.max(...panels.map((p) => (this.alone ? 1 : p.column + 1)))) * 0.3;
      return {
        panel, index: panel.index, r, c, span: this.alone ? 1 : panel.rows, high, broad, yTicks, yTexts, long,
        left: widest ? widest + t * 0.75 : t * 0.5, right: t * 0.7,
        bottom: (panel.x.visible ? t * 1.65 : t * 0.4) + (long ? t * 1.3 : 0), top: panel.title || panel.y.label ? t * 1.75 : t * 0.8,
      };
    });
  }

  /** A column of panels of equal aspect takes no more width than they can use; the others get the rest. */
  narrowSquares(boxes, columns) {
    const square = (line) => boxes.filter((b) => b.c === line.k).every((b) => b.panel.equal_aspect);
    const others = columns.filter((line) => !square(line));
    if (!others.length) return;
    let spare = 0;
    for (const line of columns.filter(square)) {
      const use = (b) => ((b.rLine.to - b.rLine.from) * (b.panel.x.hi - b.panel.x.lo)) / (b.panel.y.hi - b.panel.y.lo);
      const need = Math.min(line.size, Math.max(...boxes.filter((b) => b.c === line.k).map(use)));
      spare += line.size - need;
      line.size = need;
    }
    const total = others.reduce((sum, line) => sum + line.size, 0);
    for (const line of others) line.size += (spare * line.size) / total;
  }

  panel(box) {
    const { pen } = this, { panel } = box;
    this.box = box;
    this.requests = [];
    this.obstacles = [];
    this.taken = [];
    const surface = panel.layers.some((layer) => layer.kind === 'heatmap');
    if (!surface) this.grid(box);
    pen.save();
    pen.beginPath();
    pen.rect(box.x0, box.y0 - 1, box.x1 - box.x0, box.y1 - box.y0 + 2);
    pen.clip();
    panel.layers.forEach((layer, i) => DRAW[layer.kind]?.call(this, layer, `${box.index}.${i}`));
    pen.restore();
    this.axes(box, surface);
    panel.layers.forEach((layer, i) => AFTER[layer.kind]?.call(this, layer, `${box.index}.${i}`));
    this.placeLabels(box);
  }

  grid(box) {
    const pen = this.pen;
    pen.strokeStyle = this.theme.grid;
    pen.lineWidth = Math.max(1, this.line * 0.4);
    pen.beginPath();
    for (const v of box.yTicks) {
      const y = Math.round(box.Y(v)) + 0.5;
      if (y < box.y1 - 2) { pen.moveTo(box.x0, y); pen.lineTo(box.x1, y); }
    }
    pen.stroke();
  }

  axes(box, surface) {
    const { pen, theme, type: t } = this, { panel, x0, x1, y0, y1 } = box;
    pen.strokeStyle = theme.axis;
    pen.lineWidth = Math.max(1, this.line * 0.45);
    pen.beginPath();
    if (surface || panel.equal_aspect) pen.rect(x0, y0, x1 - x0, y1 - y0);
    else if (panel.x.visible) { pen.moveTo(x0, y1 + 0.5); pen.lineTo(x1, y1 + 0.5); }
    pen.stroke();
    for (const [i, v] of box.yTicks.entries()) {
      this.write(box.yTexts[i], x0 - t * 0.5, box.Y(v) + t * 0.33, { size: 0.92, colour: theme.tick, align: 'right' });
    }
    if (panel.x.visible) this.xAxis(box);
    const head = y0 - t * 0.62;
    let at = x0;
    if (panel.title) { // a little smaller where it would leave its panel
      const size = Math.min(1, (box.cell.x + box.cell.w - at) / this.measure(panel.title, 1, 600));
      at += this.write(panel.title, at, head, { weight: 600, size }) + t * 0.8;
    }
    if (!panel.y.label) return;
    const spare = this.width - this.measure(panel.y.label, 0.96) - 2; // a long name is whole, if only it fits on the canvas
    this.write(panel.y.label, panel.title ? at : Math.max(2, Math.min(at, spare)), head, { size: 0.96, colour: theme.tick });
  }

  xAxis(box) {
    const { theme, type: t } = this, { panel, x0, x1, y1 } = box, base = y1 + t * 1.32;
    const bars = panel.layers.find((layer) => layer.kind === 'bars' && layer.categories.length);
    let edge = x1 + t * 0.5;
    if (panel.x.label) {
      const right = Math.max(x1, this.measure(panel.x.label, 0.96) + 2);
      const w = this.write(panel.x.label, right, base + (box.long ? t * 1.3 : 0), { size: 0.96, colour: theme.tick, align: 'right' });
      if (!box.long) edge = x1 - w - t * 0.5;
    }
    const ticks = bars ? [...this.places(bars)] : niceTicks(panel.x, x1 - x0, t * 5.2);
    const texts = bars ? bars.categories : tickTexts(panel.x, ticks);
    let last = -Infinity;
    for (const [i, v] of ticks.entries()) {
      const x = box.X(v), w = this.measure(texts[i], 0.92);
      if (x + w / 2 > edge || x - w / 2 < last || x < x0 - 1 || x > x1 + 1) continue;
      this.write(texts[i], x, base, { size: 0.92, colour: bars ? theme.role.text : theme.tick, align: 'center' });
      last = x + w / 2 + t * 0.4;
    }
  }

  places(layer) {
    const n = layer.values.shape[1];
    return layer.at ? this.get(layer.at) : Float64Array.from({ length: n }, (_, i) => i);
  }

  get(channel) { return this.stage.row(channel); }
  one(channel) { return this.stage.row(channel)[0]; }
  colour(role) { return this.theme.role[role] ?? this.theme.role.text; }
  dash(on) { this.pen.setLineDash(on ? [this.line * 2.6, this.line * 2.4] : []); }

  // ------------------------------------------------------------------------------------------------------ 6 layers

  /** Trace (x, y) in pixels with breaks at NaN; returns about 80 points for the labels. */
  trace(x, y) {
    const { pen, box } = this, n = x.length, keep = Math.max(1, Math.floor(n / 80)), samples = [];
    let down = false;
    pen.beginPath();
    for (let i = 0; i < n; i++) {
      const px = box.X(x[i]), py = box.Y(y[i]);
      if (px !== px || py !== py) { down = false; continue; }
      if (down) pen.lineTo(px, py);
      else pen.moveTo(px, py);
      down = true;
      if (i % keep === 0) samples.push(px, py);
    }
    return samples;
  }

  curve(layer, id) {
    const { pen } = this, samples = this.trace(this.get(layer.x), this.get(layer.y));
    pen.strokeStyle = this.colour(layer.role);
    pen.lineWidth = this.line * layer.width * (layer.role === 'theory' ? 0.85 : 1);
    this.dash(layer.dashed ?? layer.role === 'theory');
    pen.stroke();
    this.dash(false);
    this.name(layer, id, samples, layer.label_at);
  }

  name(layer, id, samples, wanted = null) {
    this.obstacles.push({ id, samples });
    if (layer.label) this.requests.push({ id, text: layer.label, role: layer.role, samples, at: wanted === null ? null : this.box.X(wanted) });
  }

  area(layer, id) {
    const { pen, box } = this, x = this.get(layer.x), y = this.get(layer.y), base = this.get(layer.base), n = x.length;
    const flat = base.length === 1, ok = (i) => x[i] === x[i] && y[i] === y[i] && (flat || base[i] === base[i]);
    const samples = [];
    pen.beginPath();
    for (let i = 0; i < n; i++) {
      if (!ok(i)) continue;
      let end = i;
      while (end + 1 < n && ok(end + 1)) end++;
      for (let k = i; k <= end; k++) k === i ? pen.moveTo(box.X(x[k]), box.Y(y[k])) : pen.lineTo(box.X(x[k]), box.Y(y[k]));
      for (let k = end; k >= i; k--) pen.lineTo(box.X(x[k]), box.Y(flat ? base[0] : base[k]));
      pen.closePath();
      for (let k = i; k <= end; k += Math.max(1, n >> 6)) { // a label goes inside where it fits, else above
        const a = box.Y(y[k]), b = box.Y(flat ? base[0] : base[k]), thin = Math.abs(a - b) < this.type * 1.7;
        samples.push(box.X(x[k]), thin ? Math.min(a, b) - this.type * 0.95 : (a + b) / 2);
      }
      i = end;
    }
    pen.globalAlpha = layer.opacity;
    pen.fillStyle = this.colour(layer.role);
    pen.fill();
    pen.globalAlpha = 1;
    if (layer.label) this.requests.push({ id, text: layer.label, role: layer.role, samples, within: true });
  }

  points(layer, id) {
    const { pen, box } = this, x = this.get(layer.x), y = this.get(layer.y), n = x.length;
    const r = layer.size * Math.max(1, this.type / 16), keep = Math.max(1, Math.floor(n / 60)), samples = [];
    const dot = pen instanceof SvgPen ? null : this.stage.sprite(layer, r, this.colour(layer.role), this.theme.ground);
    pen.beginPath();
    for (let i = 0; i < n; i++) {
      const px = box.X(x[i]), py = box.Y(y[i]);
      if (px !== px || py !== py || px < box.x0 - r || px > box.x1 + r || py < box.y0 - r || py > box.y1 + r) continue;
      if (dot) pen.drawImage(dot, px - dot.reach, py - dot.reach, 2 * dot.reach, 2 * dot.reach);
      else pen.arc(px, py, r);
      if (i % keep === 0) samples.push(px, py);
    }
    if (!dot) {
      pen.globalAlpha = layer.opacity;
      pen.fillStyle = pen.strokeStyle = this.colour(layer.role);
      pen.lineWidth = this.line * 0.6;
      layer.hollow ? pen.stroke() : pen.fill();
      pen.globalAlpha = 1;
    }
    this.name(layer, id, samples);
  }

  heatmap(layer, id) {
    const { pen, box } = this, [rows, columns] = layer.values.shape, codes = this.stage.codes(layer.values);
    const fine = codes instanceof Uint16Array, top = fine ? 65534 : 254;
    const image = this.stage.surface(id, columns, rows), ctx = image.getContext('2d');
    const pixels = image.pixels ??= ctx.createImageData(columns, rows), colours = this.stage.palette(id, layer);
    const words = new Uint32Array(pixels.data.buffer), table = new Uint32Array(colours.buffer);
    for (let r = 0; r < rows; r++) {
      const to = (rows - 1 - r) * columns;
      for (let c = 0; c < columns; c++) words[to + c] = table[fine ? (codes[r * columns + c] / 258 + 0.5) | 0 : codes[r * columns + c]];
    }
    ctx.putImageData(pixels, 0, 0);
    const x0 = box.X(layer.x[0]), x1 = box.X(layer.x[1]), y0 = box.Y(layer.y[1]), y1 = box.Y(layer.y[0]);
    pen.imageSmoothingEnabled = true;
    pen.drawImage(image, x0, y0, x1 - x0, y1 - y0);
    for (const level of layer.contours) this.contour(layer, codes, rows, columns, ((level - layer.lo) / (layer.hi - layer.lo)) * top, top);
  }

  /** Marching squares on the codes; cell centres carry the values. */
  contour(layer, codes, rows, columns, level, top) {
    const { pen, box } = this, dx = (layer.x[1] - layer.x[0]) / columns, dy = (layer.y[1] - layer.y[0]) / rows;
    const X = (c) => box.X(layer.x[0] + (c + 0.5) * dx), Y = (r) => box.Y(layer.y[0] + (r + 0.5) * dy);
    pen.beginPath();
    for (let r = 0; r + 1 < rows; r++) {
      for (let c = 0; c + 1 < columns; c++) {
        const i = r * columns + c, v = [codes[i], codes[i + 1], codes[i + columns + 1], codes[i + columns]];
        const up = v.map((a) => a >= level);
        if (Math.max(...v) > top || (up[0] === up[1] && up[1] === up[2] && up[2] === up[3])) continue;
        const cut = (a, b) => (level - v[a]) / (v[b] - v[a]), ends = [];
        if (up[0] !== up[1]) ends.push([X(c + cut(0, 1)), Y(r)]);
        if (up[1] !== up[2]) ends.push([X(c + 1), Y(r + cut(1, 2))]);
        if (up[3] !== up[2]) ends.push([X(c + cut(3, 2)), Y(r + 1)]);
        if (up[0] !== up[3]) ends.push([X(c), Y(r + cut(0, 3))]);
        for (let e = 0; e + 1 < ends.length; e += 2) { pen.moveTo(...ends[e]); pen.lineTo(...ends[e + 1]); }
      }
    }
    pen.strokeStyle = this.theme.role.theory;
    pen.lineWidth = this.line * 0.5;
    pen.stroke();
  }

  arrows(layer, id) {
    const { pen, box } = this, [x, y, dx, dy] = [layer.x, layer.y, layer.dx, layer.dy].map((c) => this.get(c)), heads = [], samples = [];
    pen.strokeStyle = pen.fillStyle = this.colour(layer.role);
    pen.lineWidth = this.line * 0.6 * layer.width;
    pen.beginPath();
    for (let i = 0; i < x.length; i++) {
      const ax = box.X(x[i]), ay = box.Y(y[i]), bx = box.X(x[i] + layer.scale * dx[i]), by = box.Y(y[i] + layer.scale * dy[i]);
      const length = Math.hypot(bx - ax, by - ay);
      if (!(length > 0.8)) continue;
      const head = Math.min(length * 0.7, this.line * 2.6), ux = (bx - ax) / length, uy = (by - ay) / length;
      pen.moveTo(ax, ay);
      pen.lineTo(bx - ux * head * 0.8, by - uy * head * 0.8);
      heads.push([bx, by, ux * head, uy * head]);
      samples.push(bx, by);
    }
    pen.stroke();
    pen.beginPath();
    for (const [bx, by, ux, uy] of heads) {
      pen.moveTo(bx, by);
      pen.lineTo(bx - ux - uy * 0.5, by - uy + ux * 0.5);
      pen.lineTo(bx - ux + uy * 0.5, by - uy - ux * 0.5);
      pen.closePath();
    }
    pen.fill();
    this.name(layer, id, samples);
  }

  /** Rectangles of a bar layer: calls part(stack, place, x, width, top, bottom, value). */
  parts(layer, part) {
    const { box } = this, [stack, n] = layer.values.shape, values = this.get(layer.values), at = this.places(layer);
    const base = layer.base ? this.get(layer.base) : null;
    for (let i = 0; i < n; i++) {
      let up = base ? base[i] : 0, down = up;
      const x = box.X(at[i] - layer.width / 2), w = box.X(at[i] + layer.width / 2) - x;
      for (let s = 0; s < stack; s++) {
        const v = values[s * n + i], from = v < 0 ? down : up, to = from + v;
        if (v < 0) down = to;
        else up = to;
        if (v === v) part(s, i, x, w, Math.min(box.Y(from), box.Y(to)), Math.max(box.Y(from), box.Y(to)), v);
      }
    }
  }

  bars(layer) {
    const { pen } = this;
    this.parts(layer, (s, i, x, w, top, bottom) => {
      const theory = layer.roles[s] === 'theory';
      pen.fillStyle = pen.strokeStyle = this.colour(layer.roles[s]);
      pen.globalAlpha = theory ? 0.1 : layer.opacity;
      pen.beginPath();
      pen.rect(x, top, w, bottom - top);
      pen.fill();
      pen.globalAlpha = 1;
      if (!theory) return;
      pen.lineWidth = this.line * 0.7;
      this.dash(true);
      pen.stroke();
      this.dash(false);
    });
  }

  barsAfter(layer, id) {
    const { type: t, theme } = this, [stack, n] = layer.values.shape;
    this.parts(layer, (s, i, x, w, top, bottom, v) => {
      this.taken.push([x, top, x + w, bottom]);
      const text = layer.digits === null ? '' : format(v, layer.digits), middle = (top + bottom) / 2;
      if (text && stack > 1 && bottom - top > t * 1.25 && this.measure(text, 0.96) < w) {
        this.write(text, x + w / 2, middle + t * 0.34, { size: 0.96, align: 'center', colour: layer.roles[s] === 'theory' ? theme.role.text : theme.ground, weight: 600 });
      } else if (text && stack === 1) {
        const y = v < 0 ? bottom + t * 1.15 : top - t * 0.42, half = this.measure(text, 0.96) / 2;
        this.write(text, x + w / 2, y, { size: 0.96, align: 'center', colour: this.colour(layer.roles[s]), halo: true, weight: 600 });
        this.taken.push([x + w / 2 - half, y - t, x + w / 2 + half, y + t * 0.2]);
      }
      const label = layer.labels[s];
      if (!label || i !== n - 1 || (stack > 1 && bottom - top < 0.5)) return;
      const width = this.measure(label), box = this.box;
      const right = [x + w + t * 0.5, middle], left = [x - t * 0.5 - width, middle], above = [x + w / 2 - width / 2, top - t * 0.9];
      const beside = right[0] + width <= box.cell.x + box.cell.w ? [right, left] : [left, right];
      const options = [0, -0.7, 0.7, -1.3, 1.3].flatMap((dy) => beside.map(([px, py]) => [px, py + dy * t])).concat([above]);
      this.requests.push({ id: `${id}.${s}`, text: label, role: layer.roles[s], options });
    });
    if (layer.label) this.requests.push({ id, text: layer.label, role: layer.role, options: [[this.box.x0 + t, this.box.y0 + t]] });
  }

  rule(layer, id) {
    const { pen, box, type: t } = this, v = this.one(layer.at);
    const at = layer.axis === 'x' ? box.X(v) : box.Y(v);
    if (at !== at) return;
    pen.strokeStyle = this.colour(layer.role);
    pen.lineWidth = this.line * layer.width;
    this.dash(layer.dashed);
    pen.beginPath();
    if (layer.axis === 'x') { pen.moveTo(at, box.y0); pen.lineTo(at, box.y1); }
    else { pen.moveTo(box.x0, at); pen.lineTo(box.x1, at); }
    pen.stroke();
    this.dash(false);
    const samples = [];
    for (let i = 0; i <= 40; i++) samples.push(...(layer.axis === 'x' ? [at, box.y0 + ((box.y1 - box.y0) * i) / 40] : [box.x0 + ((box.x1 - box.x0) * i) / 40, at]));
    this.obstacles.push({ id, samples });
    if (!layer.label) return;
    const w = this.measure(layer.label), inside = layer.axis === 'x' ? at >= box.x0 && at <= box.x1 : at >= box.y0 - 1 && at <= box.y1 + 1;
    const options = layer.axis === 'x'
      ? [0.06, 0.2, 0.4].flatMap((f) => [[at + t * 0.5, box.y0 + f * (box.y1 - box.y0) + t * 0.3], [at - t * 0.5 - w, box.y0 + f * (box.y1 - box.y0) + t * 0.3]])
      : [box.x1 - w - t * 0.4, box.x0 + t * 0.4, (box.x0 + box.x1 - w) / 2].flatMap((x) => [[x, at - t * 0.8], [x, at + t * 0.85]]);
    if (inside) this.requests.push({ id, text: layer.label, role: layer.role, options });
  }

  words(layer) {
    const { box, type: t } = this, x = this.one(layer.x), y = this.one(layer.y);
    const px = layer.frame ? box.x0 + x * (box.x1 - box.x0) : box.X(x), py = layer.frame ? box.y1 - y * (box.y1 - box.y0) : box.Y(y);
    if (px !== px || py !== py) return;
    const { size, align } = layer, { x: from0, w: wide } = box.cell;
    const room = align === 'center' ? wide : align === 'right' ? px - from0 : from0 + wide - px;
    const lines = this.fold(layer.text, size, room), apart = t * 1.3 * size;
    const first = py - (layer.frame && layer.y.still?.[0] < 0.5 ? (lines.length - 1) * apart : 0); // at the foot of a panel they grow upward
    lines.forEach((line, i) => {
      const y = first + i * apart, w = this.write(line, px, y + t * 0.34 * size, { size, colour: this.colour(layer.role), align, halo: true });
      const from = px - (align === 'center' ? w / 2 : align === 'right' ? w : 0);
      this.taken.push([from, y - t * 0.7 * size, from + w, y + t * 0.7 * size]);
    });
  }

  handle(layer, id) {
    const { pen, box, type: t } = this, x = box.X(this.one(layer.x)), y = box.Y(this.one(layer.y));
    if (x !== x || y !== y) return;
    const px = Math.max(box.x0, Math.min(box.x1, x)), py = Math.max(box.y0, Math.min(box.y1, y)), colour = this.colour(layer.role);
    const active = this.stage.held === layer.control || this.stage.pointed === id || this.stage.focused === layer.control;
    const r = t * (active ? 0.66 : 0.56);
    pen.globalAlpha = active ? 0.24 : 0.13;
    pen.fillStyle = colour;
    pen.beginPath();
    pen.arc(px, py, r + t * 0.5, 0, 7);
    pen.fill();
    pen.globalAlpha = 1;
    pen.beginPath();
    pen.arc(px, py, r, 0, 7);
    pen.fillStyle = colour;
    pen.fill();
    pen.strokeStyle = this.theme.ground;
    pen.lineWidth = Math.max(2, this.line * 0.8);
    pen.stroke();
    const [ux, uy] = layer.axis === 'x' ? [1, 0] : [0, 1], a = r * 0.28, b = r * 0.28; // two small arrow heads: which way it goes
    pen.fillStyle = this.theme.ground;
    pen.beginPath();
    for (const s of [-1, 1]) {
      const cx = px + s * ux * a, cy = py + s * uy * a;
      pen.moveTo(cx + s * ux * b, cy + s * uy * b);
      pen.lineTo(cx + uy * b, cy + ux * b);
      pen.lineTo(cx - uy * b, cy - ux * b);
      pen.closePath();
    }
    pen.fill();
    this.handles.push({ layer, id, x: px, y: py, box });
    this.taken.push([px - r - 2, py - r - 2, px + r + 2, py + r + 2]);
    if (!layer.label) return;
    const w = this.measure(layer.label), off = r + t * 0.7;
    this.requests.push({ id, text: layer.label, role: layer.role, options: [[px - w / 2, py - off - t * 0.4], [px + off, py], [px - off - w, py], [px - w / 2, py + off + t * 0.4]] });
  }

  drawn(layer, id) {
    const { pen, box, type: t } = this, x = this.get(layer.x), y = this.stage.drawn;
    this.drawArea = { layer, box };
    if (!y || y.every(Number.isNaN)) {
      this.write(layer.invitation, (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2 + t * 0.34, { colour: this.theme.tick, align: 'center', halo: true });
      return;
    }
    const samples = this.trace(x, y);
    pen.strokeStyle = this.colour(layer.role);
    pen.lineWidth = this.line * 1.15;
    pen.stroke();
    this.name(layer, id, samples);
  }

  // ------------------------------------------------------------------------------------------------------ 7 labels

  /** Put every label at the cheapest of its places: free of lines and of other labels, and where it stood before. */
  placeLabels(box) {
    const t = this.type, half = t * 0.62, memory = this.stage.memory;
    for (const request of this.requests) {
      const w = this.measure(request.text);
      const options = request.options ?? this.along(request, w, box);
      let best = null, least = Infinity;
      options.forEach(([place, y, taste = 0, mark], i) => {
        const x = Math.max(2, Math.min(place, this.width - w - 2)); // whole, beside its picture if need be
        const name = mark ?? i, area = [x - 2, y - half, x + w + 2, y + half];
        let cost = taste + (request.options ? i * 2 : 0) - (memory.get(request.id) === name ? 5 : 0);
        const out = Math.max(0, box.x0 - 2 - area[0], area[2] - box.cell.x - box.cell.w) + Math.max(0, box.y0 - t * 0.5 - area[1], area[3] - box.y1);
        cost += out * 4;
        for (const other of this.taken) {
          const a = Math.min(area[2], other[2]) - Math.max(area[0], other[0]), b = Math.min(area[3], other[3]) - Math.max(area[1], other[1]);
          if (a > 0 && b > 0) cost += 60 + Math.min(a, b);
        }
        for (const { id, samples } of this.obstacles) {
          const own = id === request.id, pad = own ? 0 : t * 0.35;
          let hits = 0;
          for (let k = 0; k < samples.length; k += 2) {
            const px = samples[k], py = samples[k + 1];
            if (px > area[0] - pad && px < area[2] + pad && py > area[1] - pad && py < area[3] + pad) hits++;
          }
          cost += own ? Math.min(hits * 1.5, 20) : Math.min(hits * 4, 32);
        }
        if (cost < least) { least = cost; best = { x, y, name, area }; }
      });
      if (!best) continue;
      memory.set(request.id, best.name);
      this.taken.push(best.area);
      this.write(request.text, best.x, best.y + t * 0.34, { colour: this.colour(request.role), halo: true, weight: 500 });
    }
  }

  /** Places beside a line: above and below it at 16 points along. */
  along(request, w, box) {
    const t = this.type, s = request.samples, n = s.length / 2, options = [];
    for (let j = 0; j < 16; j++) {
      const k = Math.round((j + 0.5) / 16 * (n - 1)), x = s[2 * k], y = s[2 * k + 1];
      if (!(n > 0) || x < box.x0 || x > box.x1 || y < box.y0 - 2 || y > box.y1 + 2) continue;
      const far = request.at === null || request.at === undefined ? Math.abs(j - 7.5) * 0.15 : Math.abs(x - request.at) / t;
      const low = Math.max(0, y - (box.y1 - t * 1.5)) / t * 4; // names of densities do not belong on the baseline
      if (request.within) options.push([x - w / 2, y, far, `m${j}`]);
      else {
        options.push([x - w / 2, y - t * 1.05, far + low, `a${j}`], [x - w / 2, y + t * 1.05, far + low + 1, `b${j}`]);
        options.push([x + t * 0.6, y - t * 0.5, far + low + 0.5, `r${j}`], [x - t * 0.6 - w, y - t * 0.5, far + low + 0.5, `l${j}`]);
      }
    }
    return options;
  }
}

const P = Picture.prototype;
const DRAW = { curve: P.curve, area: P.area, points: P.points, heatmap: P.heatmap, arrows: P.arrows, bars: P.bars, rule: P.rule, draw: P.drawn };
const AFTER = { bars: P.barsAfter, text: P.words, handle: P.handle };

// ----------------------------------------------------------------------------------------------------- 8 the stage

function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const SPEEDS = [0.5, 1, 2, 4];
const GLIDE_SECONDS = 1.6; // until a film has come to the place that Python has chosen
// A growing film: seconds between two messages until that is known, how much longer the frames at hand are made to last,
// the fewest and the most pictures a second, and how many frames may wait before some are left out to keep up.
const GROWING = { gap: 0.3, stretch: 1.2, least: 4, most: 60, waiting: 60 };
const still = () => matchMedia('(prefers-reduced-motion: reduce)').matches;
const TYPING = 'input:not([type=range]),textarea,select,[contenteditable=true],[role=slider],[role=combobox],[role=listbox],[role=textbox]';

class Stage {
  constructor(host, alone = false) {
    Object.assign(this, { host, alone, scene: null, controls: {}, readouts: {}, at: {}, stamp: {}, moves: 0 });
    Object.assign(this, { slots: [], rows: {}, widths: new Map(), memory: new Map(), sprites: new Map(), surfaces: new Map(), palettes: new Map() });
    Object.assign(this, { held: null, pointed: null, focused: null, active: null, unsaid: new Set(), count: 0, lastMark: null, clicks: [], drawn: null, pictures: 0 });
    Object.assign(this, { film: { playing: false, speed: 1, loop: false, following: false, carry: 0 }, animation: null, played: new Set() });
    this.token = Math.random().toString(36).slice(2, 10);
    this.build();
    this.listen();
  }

  build() {
    this.canvas = el('canvas', { role: 'img' });
    this.pen = this.canvas.getContext('2d');
    this.hands = el('div', { class: 'gs-hands', 'aria-hidden': 'true' });
    this.picture = el('div', { class: 'gs-picture' }, this.canvas, this.hands, this.buildMenu());
    this.main = el('div', { class: 'gs-main' });
    this.others = el('div', { class: 'gs-others' });
    this.numbers = el('dl', { class: 'gs-readouts' });
    this.side = el('div', { class: 'gs-side' }, this.main, this.others, this.numbers);
    this.formula = el('div', { class: 'gs-formula' });
    this.live = el('div', { class: 'gs-unseen', 'aria-live': 'polite' });
    this.root = el('div', { class: 'gs' }, this.picture, this.side, this.formula, this.live);
    // whether the hand has done something of which Python has not been told yet: for whoever drives the page
    Object.defineProperty(this.root, 'waiting', { get: () => !!(this.reportTimer || this.clickTimer || this.drawFlight || this.drawWaiting) });
    this.host.append(this.root);
  }

  buildMenu() {
    const item = (name, act) => {
      const button = el('button', { type: 'button' }, name);
      button.onclick = () => { act(); this.menu.open = false; };
      return button;
    };
    const list = el('div', {}, item('PNG', () => this.savePng()), item('SVG', () => this.saveSvg()));
    return (this.menu = el('details', { class: 'gs-menu' }, el('summary', { 'aria-label': 'Save this picture', title: 'Save this picture' }), list));
  }

  listen() {
    this.off = new AbortController();
    const { signal } = this.off;
    document.addEventListener('keydown', (e) => this.key(e), { signal });
    document.addEventListener('pointerdown', (e) => { if (!e.composedPath().includes(this.menu)) this.menu.open = false; }, { signal });
    window.addEventListener('resize', () => this.layout(), { signal });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.retheme(), { signal });
    document.fonts?.ready.then(() => { this.widths.clear(); this.dirty(); });
    this.watcher = new ResizeObserver(() => this.layout());
    this.watcher.observe(this.root);
    this.watcher.observe(this.picture);
    this.hands.addEventListener('pointerdown', (e) => this.grab(e));
    this.hands.addEventListener('pointermove', (e) => this.drag(e));
    this.hands.addEventListener('pointerup', (e) => this.release(e));
    this.hands.addEventListener('pointercancel', (e) => this.release(e));
  }

  destroy() {
    this.off.abort();
    this.watcher.disconnect();
    cancelAnimationFrame(this.raf);
    clearTimeout(this.reportTimer);
    clearTimeout(this.clickTimer);
    this.root.remove();
  }

  // -------------------------------------------------------------------------------------------- a scene arrives

  /** Take a message. The hand is never disturbed: a control that is held, or moved since Python looked, keeps its place. */
  receive(bytes) {
    const fresh = unpack(bytes), old = this.scene, same = old?.key === fresh.key;
    const known = same && old.digest === fresh.digest;
    this.view = fresh.view;
    this.clicksHeard(this.view.clicks_echo?.[this.token]);
    const clock = fresh.controls.find((c) => c.kind === 'time')?.key;
    if (!known && fresh.append_from !== null && !this.join(fresh, same ? old : null, clock)) return;
    const held = same && clock ? this.controls[clock]?.values.length : 0;
    const heard = !this.lastMark || (this.view.echo === this.lastMark && !this.reportTimer);
    if (heard) this.unsaid.clear();
    if (!known) this.adopt(fresh, same ? old : null, clock);
    else if (!this.alone) for (const control of this.scene.controls) this.place(control, control, clock);
    const told = this.view.jumps?.[clock] ?? 0, goOn = same && clock && old.clock === clock && old.film === this.scene.film;
    if (goOn && told !== this.told && this.held !== clock) this.glide(clock);
    this.told = told;
    if (clock && this.controls[clock].values.length > (held ?? 0)) this.came(clock, held ?? 0);
    this.takeDrawn(fresh, same);
    this.retheme();
    this.layout();
    this.rest();
    this.enter(clock, same);
  }

  /** Put the frames that are already here before those that arrived; false when they do not follow. */
  join(fresh, old, clock) {
    const have = old && old.clock === clock && old.film === this.filmName(fresh, clock) ? this.controls[clock].values.length : 0;
    const before = have ? channels(old) : [], after = channels(fresh);
    const fits = have >= fresh.append_from && (have === 0 || before.length === after.length);
    if (fits && have) after.forEach((channel, i) => channel.continueFrom(before[i], clock, fresh.append_from, have));
    if (!fits && !(performance.now() - this.asked < 2000)) { // once; what is under way must not ask again
      this.asked = performance.now();
      this.trigger?.('resync', { have });
    }
    return fits;
  }

  /** Frames came: those that wait are spread over the time until the next ones, so that the picture moves evenly. */
  came(clock, held) {
    const { film } = this, now = performance.now(), gap = (now - (film.last ?? NaN)) / 1000;
    if (gap < 2) film.gap = film.gap ? film.gap + 0.3 * (gap - film.gap) : gap;
    film.last = now;
    const behind = this.controls[clock].values.length - 1 - this.at[clock];
    const even = behind / (Math.max(0.1, film.gap ?? GROWING.gap) * GROWING.stretch);
    film.pace = behind > GROWING.waiting ? even : Math.max(GROWING.least, Math.min(GROWING.most, even));
    if (this.at[clock] >= held - 1) film.carry = 1; // it stood still: the first of them is due
  }

  filmName(scene, clock) { return scene.controls.find((c) => c.key === clock)?.film; }

  adopt(fresh, old, clock) {
    const before = this.controls, newFilm = !old || old.film !== this.filmName(fresh, clock) || old.clock !== clock;
    this.scene = fresh;
    if (fresh.append_from === null) this.asked = undefined;
    fresh.clock = clock;
    fresh.film = this.filmName(fresh, clock);
    this.controls = Object.fromEntries(fresh.controls.map((c) => [c.key, c]));
    this.readouts = Object.fromEntries(fresh.readouts.map((r) => [r.key, r]));
    if (!old) {
      Object.assign(this, { at: {}, stamp: {}, held: null, animation: null, drawn: null });
      this.unsaid.clear();
      this.memory.clear();
    }
    if (newFilm && clock) {
      const c = this.controls[clock];
      delete this.at[clock];
      this.film = { playing: false, speed: this.film.speed, loop: c.loop, following: c.live, carry: 0 };
    }
    for (const control of fresh.controls) this.place(control, before[control.key], clock);
    this.links();
    this.palettes.clear();
    this.surfaces.clear();
    this.dress(old);
  }

  /** Where a control stands when a scene arrives. */
  place(control, before, clock) {
    const { key, values, start } = control, here = this.at[key];
    const mine = this.held === key || this.animation?.control === key || this.unsaid.has(key);
    const unchanged = before && before.values[before.start] === values[start];
    if (here !== undefined && before && (mine || key === clock || (!control.report && unchanged))) {
      const value = before.values[here];
      this.at[key] = values[here] === value ? here : nearest(values, value);
    } else {
      this.at[key] = start;
      this.stamp[key] = 0;
    }
  }

  /** The film runs from where it is to the place that Python has chosen, and stands there. */
  glide(clock) {
    const { values, start } = this.controls[clock], from = values[this.at[clock]];
    Object.assign(this.film, { playing: false, following: false });
    this.unsaid.delete(clock);
    this.animate({ control: clock, start: from, stop: values[start], seconds: GLIDE_SECONDS });
  }

  /** Which controls share a sweep: without Python, moving one puts those it shares with back to rest. */
  links() {
    this.linked = {};
    for (const channel of channels(this.scene)) {
      const keys = Object.keys(channel.sweeps ?? {});
      for (const a of keys) for (const b of keys) if (a !== b) (this.linked[a] ??= new Set()).add(b);
    }
  }

  takeDrawn(scene, same) {
    const layer = scene.panels.flatMap((p) => p.layers).find((l) => l.kind === 'draw');
    if (!layer) { this.drawn = null; return; }
    const n = layer.x.still.length, answered = !this.drawMark || this.view.drawn_echo === this.drawMark;
    if (answered) { clearTimeout(this.drawTimer); this.drawFlight = false; }
    if (!same || this.drawn?.length !== n) this.drawn = new Float64Array(n).fill(NaN);
    if (layer.y?.still && answered && !this.drawing && !this.drawWaiting) this.drawn.set(layer.y.still);
    if (answered && this.drawWaiting) this.sendDrawn(this.drawWaiting.done);
  }

  /** Start what moves by itself: the scene's animation, once for each token, or a film that plays on arrival. */
  enter(clock, same) {
    const { animate } = this.scene, control = clock && this.controls[clock];
    if (animate) {
      const name = `${this.scene.key}/${JSON.stringify(animate)}`;
      if (!this.played.has(name)) { this.played.add(name); this.animate(animate); }
    }
    if (control?.autoplay && !same && !control.live && !still()) this.play(true);
    if (this.film.following && control && still()) this.at[clock] = control.values.length - 1;
    this.settle();
    this.dirty();
  }

  animate({ control, start, stop, seconds }) {
    const { values } = this.controls[control];
    this.animation = { control, from: start, to: stop, seconds, done: 0, paused: false };
    this.lastAnimation = { control, start, stop, seconds };
    if (still()) this.animation.done = 1;
    this.move(control, nearest(values, this.animation.done ? stop : start));
    this.dirty();
  }

  // ------------------------------------------------------------------------------------- the words and controls

  /** Build the controls, readouts and formula; nodes of controls that stay are kept, so a drag goes on. */
  dress() {
    const { scene } = this, shape = JSON.stringify([scene.controls.map((c) => [c.key, c.kind, c.label, c.unit, c.visible, c.role]), scene.readouts.map((r) => [r.key, r.label, r.unit, r.kind, r.role, r.visible]), scene.formula]);
    if (shape !== this.shape) {
      this.shape = shape;
      this.slots = [];
      const kept = this.rows;
      this.rows = {};
      for (const control of scene.controls) {
        const row = kept[control.key]?.kind === control.kind ? kept[control.key] : this.buildControl(control);
        row.name.replaceChildren();
        this.render(row.name, control.label);
        row.input.setAttribute('aria-label', this.plain(control.label));
        row.node.classList.toggle('gs-unseen', !control.visible);
        row.node.style.setProperty('--tone', control.role ? `var(--gs-${control.role})` : '');
        this.rows[control.key] = row;
      }
      for (const key in kept) if (this.rows[key] !== kept[key]) kept[key].node.remove();
      scene.controls.forEach((control, i) => {
        const parent = i === 0 ? this.main : this.others, { node } = this.rows[control.key];
        if (node.parentNode !== parent) parent.append(node);
      });
      this.numbers.replaceChildren(...scene.readouts.filter((r) => r.visible).map((r) => this.buildReadout(r)));
      this.formula.replaceChildren();
      this.render(this.formula, scene.formula);
      this.formula.hidden = !scene.formula;
    }
    for (const control of scene.controls) {
      const { input } = this.rows[control.key];
      input.max = control.values.length - 1;
      input.disabled = control.values.length < 2;
    }
    for (const slot of this.slots) slot.node.style.minWidth = `${this.widest(slot).toFixed(2)}ch`;
    if (!this.controls[this.active]) this.active = scene.controls[0]?.key ?? null;
  }

  buildControl(control) {
    const { key, kind } = control, id = `gs-${key}`;
    const input = el('input', { type: 'range', id, min: 0, step: 1 }), name = el('span'), value = el('output', { for: id });
    const row = { kind, input, name, value };
    input.addEventListener('pointerdown', () => this.hold(key));
    input.addEventListener('input', (e) => { this.move(key, +input.value, e.timeStamp); });
    input.addEventListener('change', () => this.let(key));
    input.addEventListener('pointerup', () => { if (this.held === key) this.let(key); });
    input.addEventListener('focus', () => { this.active = this.focused = key; this.dirty(); });
    input.addEventListener('blur', () => { this.focused = null; this.dirty(); });
    const head = el('label', { for: id }, name, value);
    if (kind === 'time') {
      row.play = el('button', { type: 'button', class: 'gs-play' });
      row.play.onclick = () => this.play();
      row.speed = el('button', { type: 'button', class: 'gs-small', 'aria-label': 'Speed' });
      row.speed.onclick = () => { this.film.speed = SPEEDS[(SPEEDS.indexOf(this.film.speed) + 1) % SPEEDS.length]; this.dirty(); };
      row.loop = el('button', { type: 'button', class: 'gs-small', 'aria-label': 'Repeat', title: 'Repeat' }, '↻');
      row.loop.onclick = () => { this.film.loop = !this.film.loop; this.dirty(); };
      row.node = el('div', { class: 'gs-control gs-clock' }, head, el('div', { class: 'gs-deck' }, row.play, input, row.speed, row.loop));
    } else row.node = el('div', { class: 'gs-control' }, head, input);
    row.node.dataset.key = key;
    return row;
  }

  buildReadout(readout) {
    const name = el('dt'), number = el('dd'), kind = el('span', { class: 'gs-kind' }, readout.kind);
    this.render(name, readout.label);
    if (readout.kind === 'lower bound') number.append(el('span', { class: 'gs-sign' }, '≥ '));
    this.slot(number, { slot: readout.key }, 'gs-number');
    if (readout.band) {
      const band = el('span', { class: 'gs-band' }, '± ');
      this.slot(band, { slot: readout.band }, 'gs-half');
      number.append(band);
    }
    if (readout.unit) number.append(el('span', { class: 'gs-unit' }, readout.unit));
    const node = el('div', { class: 'gs-readout' }, name, number);
    name.append(kind);
    if (readout.role) node.style.setProperty('--tone', `var(--gs-${readout.role})`);
    return node;
  }

  /** Markup as nodes: text by text nodes only, nothing is ever read as HTML. */
  render(parent, source) {
    for (const run of markup(source)) {
      const node = el(run.script ? (run.script > 0 ? 'sup' : 'sub') : run.italic ? 'i' : 'span');
      if (run.script && run.italic) node.style.fontStyle = 'italic';
      const role = run.role ?? (run.slot && this.readouts[run.slot]?.role);
      if (role) node.style.color = `var(--gs-${role})`;
      if (run.slot) this.slot(node, run, 'gs-slot');
      else node.textContent = run.text;
      parent.append(node);
    }
  }

  slot(parent, run, name) {
    const node = el('span', { class: name });
    this.slots.push({ node, key: run.slot, form: run.form ?? '', shown: null });
    parent.append(node);
  }

  /** Length of the longest text that a live number takes anywhere in its sweeps. */
  widest({ key, form }) {
    const control = this.controls[key], readout = this.readouts[key];
    if (control) return Math.max(...(control.names.length ? control.names : [...control.values].map((v) => format(v, control.digits, form))).map(digitsWide));
    let most = digitsWide(this.number(key, form));
    for (const chunks of Object.values(readout.value.sweeps ?? {})) {
      for (const { block } of chunks) for (const v of block.data) most = Math.max(most, digitsWide(format(v, readout.digits, form || readout.form)));
    }
    return most;
  }

  number(key, form = '') {
    const readout = this.readouts[key], control = this.controls[key];
    if (readout) return format(this.row(readout.value)[0], readout.digits, form || readout.form);
    if (!control) return '–';
    return control.names.length && !form ? control.names[this.at[key]] : format(control.values[this.at[key]], control.digits, form);
  }

  /** A readout as it is read aloud. */
  said(readout) {
    const sign = readout.kind === 'lower bound' ? 'at least ' : '', band = readout.band ? ` ± ${this.number(readout.band)}` : '';
    return `${this.plain(readout.label)} ${sign}${this.number(readout.key)}${band} ${readout.unit}`.trim();
  }

  withUnit(control) { return this.number(control.key) + (control.unit ? ` ${control.unit}` : ''); }
  plain(source) { return markup(source).map((run) => (run.slot ? this.number(run.slot, run.form) : run.text)).join(''); }

  // ------------------------------------------------------------------------------------------------- which row

  choose(sweeps) {
    let best = null, latest = -1;
    for (const key in sweeps) if ((this.stamp[key] ?? 0) > latest) { latest = this.stamp[key] ?? 0; best = key; }
    return best;
  }
  row(channel) {
    if (channel.still) return channel.still;
    const key = this.choose(channel.sweeps);
    return channel.row(key, this.at[key]);
  }
  codes(channel) {
    if (channel.still) return channel.block.data;
    const key = this.choose(channel.sweeps), [block, from] = channel.find(key, this.at[key]);
    return block.data.subarray(from, from + channel.width);
  }

  // ------------------------------------------------------------------------------------------------- the hand

  move(key, index, time = 0) {
    const control = this.controls[key], to = Math.max(0, Math.min(control.values.length - 1, Math.round(index)));
    if (time && this.animation && (this.animation.control === key || !this.animation.paused)) this.animation = null;
    if (time && this.alone) {
      for (const other of this.linked[key] ?? []) if (other !== this.scene.clock) this.at[other] = this.controls[other].start;
    }
    if (key === this.scene.clock && time) this.film.following = control.live && to === control.values.length - 1;
    if (this.at[key] === to && this.stamp[key] === this.moves) return;
    this.at[key] = to;
    this.stamp[key] = ++this.moves;
    if (time) {
      this.unsaid.add(key);
      this.inputTime ??= time;
    }
    this.dirty();
  }

  hold(key) {
    this.held = this.active = key;
    if (key === this.scene.clock) this.play(false);
  }

  /** The hand let go of a control: Python hears of it, at once or when the keys have been quiet for a moment. */
  let(key, wait = 0) {
    this.held = null;
    clearTimeout(this.reportTimer);
    this.reportTimer = setTimeout(() => this.report(key), wait);
    this.dirty();
  }

  report(key) {
    this.reportTimer = 0;
    this.rest(true);
    if (!this.send || !this.controls[key]?.report) return;
    this.lastMark = `${this.token}-${++this.count}`;
    const values = Object.fromEntries(this.scene.controls.map((c) => [c.key, c.values[this.at[c.key]]]));
    this.send('values', { values, moved: key, mark: this.lastMark, moving: this.film.playing || this.film.following });
  }

  /** The picture stands still: its description follows, and after a release the readouts are announced. */
  rest(spoken = false) {
    this.canvas.setAttribute('aria-label', this.plain(this.scene.alt));
    if (!spoken) return;
    this.live.textContent = this.scene.readouts.filter((r) => r.visible).map((r) => this.said(r)).join(', ');
  }

  point(e) {
    const box = this.canvas.getBoundingClientRect();
    return [e.clientX - box.left, e.clientY - box.top];
  }

  grab(e) {
    const target = e.target.closest('.gs-handle, .gs-sheet, .gs-spot');
    if (!target || e.button > 0) return;
    if (target.classList.contains('gs-spot')) {
      const [x, y] = this.point(e);
      this.spot = { name: target.dataset.name, x, y };
      return;
    }
    e.preventDefault();
    this.hands.setPointerCapture(e.pointerId);
    const [x, y] = this.point(e), shown = this.shown;
    if (target.classList.contains('gs-sheet')) {
      this.drawing = { last: null };
      this.sketch(e);
      return;
    }
    const near = shown.handles.reduce((a, b) => (Math.hypot(b.x - x, b.y - y) < Math.hypot(a.x - x, a.y - y) ? b : a));
    this.grip = { ...near, dx: near.x - x, dy: near.y - y };
    this.hold(near.layer.control);
    this.dirty();
  }

  drag(e) {
    if (this.drawing) return this.sketch(e);
    if (!this.grip) {
      const id = e.target.dataset?.id ?? null;
      if (id !== this.pointed) { this.pointed = id; this.dirty(); }
      return;
    }
    const { layer, box, dx, dy } = this.grip, [x, y] = this.point(e), along = layer.axis === 'x';
    const wanted = along ? x + dx : y + dy, channel = along ? layer.x : layer.y, place = along ? box.X : box.Y;
    const current = this.liveLayer(this.grip.id) ?? layer, sweep = (along ? current.x : current.y) ?? channel;
    let best = 0, least = Infinity;
    for (let i = 0; i < this.controls[layer.control].values.length; i++) {
      const far = Math.abs(place(sweep.row(layer.control, i)[0]) - wanted);
      if (far < least) { least = far; best = i; }
    }
    this.move(layer.control, best, e.timeStamp);
  }

  liveLayer(id) {
    const [p, l] = id.split('.');
    return this.scene.panels[p]?.layers[l];
  }

  /** A click or tap in a panel that takes them. */
  tap(e) {
    const { spot } = this, [x, y] = this.point(e);
    this.spot = null;
    if (e.type !== 'pointerup' || Math.hypot(x - spot.x, y - spot.y) > 8 || !this.send) return;
    const box = this.shown.boxes.find((b) => b.panel.click === spot.name);
    if (!box) return;
    const { panel } = box, at = { x: valueAt(panel.x, box.x0, box.x1, x), y: valueAt(panel.y, box.y1, box.y0, y) };
    this.clicks.push({ n: ++this.count, name: spot.name, ...at });
    this.sendClicks();
  }

  /** One message with clicks under way at a time, so that none cuts the work on another short; the rest waits. */
  sendClicks() {
    if (this.clickTimer || !this.clicks.length) return;
    this.clickTimer = setTimeout(() => { this.clickTimer = 0; this.sendClicks(); }, 3000);
    this.send('clicked', { clicks: this.clicks.slice(0, 8), mark: this.token });
  }

  clicksHeard(last = 0) {
    if (!this.clicks.some((click) => click.n <= last)) return;
    this.clicks = this.clicks.filter((click) => click.n > last);
    clearTimeout(this.clickTimer);
    this.clickTimer = 0;
    this.sendClicks();
  }

  release(e) {
    if (this.spot) this.tap(e);
    else if (this.drawing) {
      this.drawing = null;
      this.sendDrawn(true);
    } else if (this.grip) {
      const { control } = this.grip.layer;
      this.grip = null;
      this.let(control);
    }
  }

  /** The pen on the paper: values at all grid points between the last place and this one. */
  sketch(e) {
    const { layer, box } = this.shown.drawArea, [px, py] = this.point(e), x = layer.x.still, { y: axis } = box.panel;
    let k = 0;
    for (let i = 1; i < x.length; i++) if (Math.abs(box.X(x[i]) - px) < Math.abs(box.X(x[k]) - px)) k = i;
    const raw = axis.lo + ((box.y1 - py) / (box.y1 - box.y0)) * (axis.hi - axis.lo), y = Math.max(layer.lo, Math.min(layer.hi, raw));
    const { last } = this.drawing, from = last?.k ?? k, old = last?.y ?? y, step = from <= k ? 1 : -1;
    for (let i = from; i !== k + step; i += step) this.drawn[i] = from === k ? y : old + ((y - old) * (i - from)) / (k - from);
    this.drawing.last = { k, y };
    this.inputTime ??= e.timeStamp;
    this.sendDrawn(false);
    this.dirty();
  }

  /** One drawing under way at a time; the newest waits. */
  sendDrawn(done) {
    if (!this.send) return;
    if (this.drawFlight) { this.drawWaiting = { done: done || this.drawWaiting?.done }; return; }
    this.drawWaiting = null;
    this.drawFlight = true;
    this.drawMark = `${this.token}-d${++this.count}`;
    this.drawTimer = setTimeout(() => { this.drawFlight = false; if (this.drawWaiting) this.sendDrawn(this.drawWaiting.done); }, 1500);
    this.send('drawn', { y: Array.from(this.drawn, (v) => (v === v ? +v.toPrecision(7) : null)), done: !!done, mark: this.drawMark });
  }

  key(e) {
    if (!this.scene || e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented) return;
    const target = e.composedPath()[0], inside = this.root.contains(target), button = target.closest?.('button, a, summary');
    if (!inside && (!this.view.lecture || target.closest?.(TYPING) || target.matches?.('input[type=range]'))) return;
    const control = this.controls[this.active], act = this.keys(e, control, button);
    if (!act) return;
    e.preventDefault();
    act();
  }

  keys(e, control, button) {
    const step = (to) => () => {
      if (control.key === this.scene.clock) this.play(false);
      this.move(control.key, to, e.timeStamp);
      this.let(control.key, 180);
    };
    const here = control && this.at[control.key], by = e.shiftKey ? 10 : 1;
    if (e.key === ' ') return button ? null : () => this.play();
    if (e.key === 'Escape') return this.menu.open ? () => { this.menu.open = false; } : null;
    if (!control) return null;
    if (e.key === 'ArrowLeft') return step(here - by);
    if (e.key === 'ArrowRight') return step(here + by);
    if (e.key === 'Home') return step(0);
    if (e.key === 'End') return step(control.values.length - 1);
    if (e.key === 'ArrowUp' || e.key === 'ArrowDown') return () => this.turn(e.key === 'ArrowUp' ? -1 : 1);
    return null;
  }

  /** Make the next control the active one. */
  turn(by) {
    const keys = this.scene.controls.map((c) => c.key), n = keys.length;
    this.active = keys[(keys.indexOf(this.active) + by + n) % n];
    this.dirty();
    this.sync();
    this.rows[this.active].input.focus({ preventScroll: true });
  }

  /** Play or pause the film; without one, pause or repeat the animation. */
  play(on = null) {
    const clock = this.scene.clock;
    if (!clock) {
      if (on !== null) return;
      if (this.animation) this.animation.paused = !this.animation.paused;
      else if (this.lastAnimation && this.controls[this.lastAnimation.control]) this.animate(this.lastAnimation);
      this.dirty();
      return;
    }
    const { film } = this, end = this.controls[clock].values.length - 1, was = film.playing || this.chasing();
    if (this.animation?.control === clock) this.animation = null;
    film.playing = on ?? !was;
    film.following = film.playing && this.controls[clock].live && film.following;
    film.carry = 0;
    if (film.playing && this.at[clock] >= end) {
      if (this.controls[clock].live) film.following = true;
      else this.move(clock, 0);
    }
    if (was && !film.playing) this.rest(on === null);
    if (on === null) this.let(clock); // whoever pauses there wants to go on from there; a film that plays is nowhere
    this.dirty();
  }

  /** A film that was followed while it grew, and has come to its end, stands there. */
  settle() {
    const { film } = this, clock = this.scene.clock;
    if (!film.following || this.controls[clock].live || this.chasing()) return;
    film.following = false;
    this.let(clock);
  }

  chasing() { return this.film.following && this.at[this.scene.clock] < this.controls[this.scene.clock].values.length - 1; }

  // -------------------------------------------------------------------------------------------------- pictures

  dirty() {
    this.changed = true;
    this.wake();
  }
  wake() { this.raf ||= requestAnimationFrame((now) => this.tick(now)); }

  tick(now) {
    this.raf = 0;
    if (!this.scene) return;
    const seconds = Math.min(0.1, Math.max(0, (now - (this.before ?? now)) / 1000));
    this.before = now;
    const moving = this.advanceAnimation(seconds) | this.advanceFilm(seconds);
    if (this.changed) this.show();
    if (moving) this.wake();
    else this.before = undefined;
  }

  advanceAnimation(seconds) {
    const run = this.animation;
    if (!run || run.paused || !this.controls[run.control]) return false;
    run.done = Math.min(1, run.done + seconds / run.seconds);
    const t = run.done * run.done * (3 - 2 * run.done), { values, start } = this.controls[run.control];
    const to = nearest(values, run.from + (run.to - run.from) * t);
    if (to !== this.at[run.control]) this.move(run.control, to);
    if (run.done < 1) return true;
    this.animation = null;
    if (to !== start) { this.unsaid.add(run.control); this.let(run.control); }
    else { // nobody's hand is on it: what follows the slider that moves goes back to where the scene stands
      this.stamp[run.control] = 0;
      this.dirty();
      this.rest(true);
    }
    return false;
  }

  advanceFilm(seconds) {
    const { film } = this, key = this.scene.clock, control = this.controls[key];
    if (!control) return false;
    const end = control.values.length - 1, behind = end - this.at[key];
    if (!film.playing && !this.chasing()) return false;
    const pace = film.following ? film.pace || control.fps : control.fps * film.speed;
    film.carry += seconds * pace;
    const whole = Math.floor(film.carry);
    film.carry -= whole;
    if (!whole) return true;
    if (behind > 0) {
      this.move(key, Math.min(end, this.at[key] + whole));
      if (behind <= whole && film.following) this.rest();
      this.settle();
    }
    else if (control.live) return film.playing && this.idle();
    else if (film.loop) this.move(key, 0);
    else { film.playing = false; this.let(key); return false; }
    return true;
  }

  idle() { this.film.carry = 0; return false; } // a live film at its newest frame sleeps until more arrives

  retheme() {
    this.theme = readTheme(this.root);
    for (const role in this.theme.role) this.root.style.setProperty(`--gs-${role}`, this.theme.role[role]);
    this.palettes.clear();
    this.sprites.clear();
    this.dirty();
  }

  layout() {
    if (!this.scene) return;
    const width = this.root.clientWidth, lecture = !!this.view.lecture, wide = width >= 820;
    if (!width) return;
    this.root.dataset.form = lecture ? 'lecture' : wide ? 'wide' : 'narrow';
    this.root.dataset.readouts = this.scene.readouts.filter((r) => r.visible).length;
    this.stacked = !wide && !lecture && width < 560 && this.panels().length > 1;
    const spare = lecture && wide ? Math.max(0, innerHeight - LOWEST) : 0; // what a projector has more than a small one
    const high = (this.view.height ?? (lecture ? 560 : 480)) + spare, unit = lecture ? Math.max(1, Math.min(width / 1240, high / 520)) : 1;
    this.type = lecture ? 26.5 * unit : wide ? 14 : 13;
    this.line = lecture ? 4.5 * unit : 2.25;
    this.root.style.setProperty('--gs-unit', unit);
    this.root.style.height = wide || lecture ? `${high}px` : '';
    this.picture.style.height = wide || lecture ? '' : `${this.narrowHeight(width)}px`;
    const w = this.picture.clientWidth, h = this.picture.clientHeight, dpr = window.devicePixelRatio || 1;
    if (w !== this.w || h !== this.h || dpr !== this.dpr) {
      Object.assign(this, { w, h, dpr });
      this.canvas.width = Math.round(w * dpr);
      this.canvas.height = Math.round(h * dpr);
      this.sprites.clear();
      if (this.theme && w && h) this.show(); // a resized canvas is empty: draw before it is seen
    }
    this.dirty();
  }

  narrowHeight(width) {
    const panels = this.panels();
    if (!this.stacked) return Math.round(Math.min(420, panels.some((p) => p.equal_aspect) ? width : width * 0.72));
    const margins = (p) => this.type * ((p.title || p.y.label ? 1.75 : 0.8) + (p.x.visible ? 1.65 : 0.4) + 0.8);
    return Math.round(panels.reduce((sum, p) => sum + this.stackHeight(p, width) + margins(p), 0));
  }

  /** Height of a panel's plot when all panels stand in one column on a narrow page. */
  stackHeight(panel, width) {
    const panels = this.panels(), most = Math.max(...panels.map((p) => p.height_ratio));
    const plain = Math.min(200, width * 0.5, 390 / panels.length);
    const two = panels.length > 2 && panels.filter((p) => p.equal_aspect).length === 2; // with more below, they must leave room
    return panel.equal_aspect ? width * (two ? 0.56 : panels.length > 1 ? 0.72 : 0.9) : Math.max(64, (plain * panel.height_ratio) / most);
  }

  /** The panels on show. */
  panels() {
    if (this.onShow?.scene === this.scene && this.onShow.lecture === !!this.view.lecture) return this.onShow.panels;
    const all = this.scene.panels.map((panel, index) => ({ ...panel, index })), kept = all.filter((p) => p.lecture || !this.view.lecture);
    for (const panel of kept.length ? all.filter((p) => !kept.includes(p)) : []) { // what stands above takes over the x axis
      const above = kept.filter((p) => p.column === panel.column && p.x.lo === panel.x.lo && p.x.hi === panel.x.hi).at(-1);
      if (above && panel.x.visible && !above.x.visible) above.x = panel.x;
    }
    this.onShow = { scene: this.scene, lecture: !!this.view.lecture, panels: kept.length ? kept : all };
    return this.onShow.panels;
  }

  show() {
    this.changed = false;
    if (!this.w || !this.h) return;
    this.pen.setTransform(this.dpr, 0, 0, this.dpr, 0, 0);
    this.shown = new Picture(this, this.pen, this.w, this.h);
    this.shown.draw();
    this.sync();
    this.canvas.dataset.pictures = ++this.pictures;
    if (this.inputTime !== undefined && document.documentElement.dataset.measure !== undefined) {
      const log = (window.__gantoysStage ??= { latency: [] }).latency; // for tests and benchmarks only
      log.push(performance.now() - this.inputTime);
      if (log.length > 2000) log.shift();
    }
    this.inputTime = undefined;
  }

  /** Bring sliders, numbers and the places to grab in line with the picture. */
  sync() {
    for (const slot of this.slots) {
      const text = this.number(slot.key, slot.form);
      if (text !== slot.shown) slot.node.textContent = slot.shown = text;
    }
    const { controls } = this.scene;
    for (const control of controls) {
      const row = this.rows[control.key], index = this.at[control.key], text = this.withUnit(control);
      if (row.text !== text || +row.input.value !== index || row.end !== control.values.length) {
        Object.assign(row, { text, end: control.values.length });
        row.value.textContent = text;
        row.input.value = index;
        row.input.setAttribute('aria-valuetext', text);
        row.input.style.setProperty('--fill', `${(100 * index) / Math.max(1, control.values.length - 1)}%`);
      }
      row.node.classList.toggle('gs-active', control.key === this.active);
      if (row.play) this.syncDeck(row);
    }
    const place = controls.findIndex((c) => c.key === this.active);
    this.root.dataset.turn = controls.length > 1 ? `${place + 1}/${controls.length}` : '';
    this.syncHands();
  }

  syncDeck(row) {
    const on = this.film.playing || this.chasing(), name = on ? 'Pause' : 'Play';
    if (row.play.title !== name) {
      row.play.title = name;
      row.play.setAttribute('aria-label', name);
      row.play.dataset.on = on ? '1' : '';
    }
    const speed = `${this.film.speed === 0.5 ? '½' : this.film.speed}×`;
    if (row.speed.textContent !== speed) row.speed.textContent = speed;
    row.loop.setAttribute('aria-pressed', String(this.film.loop));
  }

  syncHands() {
    const { handles, drawArea } = this.shown ?? { handles: [] };
    const spots = this.send ? (this.shown?.boxes ?? []).filter((b) => b.panel.click) : [];
    const under = spots.length + (drawArea ? 1 : 0), count = handles.length + under;
    while (this.hands.children.length > count) this.hands.lastChild.remove();
    while (this.hands.children.length < count) this.hands.append(el('div'));
    [...this.hands.children].forEach((node, i) => {
      const spot = spots[i], sheet = drawArea && i === spots.length, handle = handles[i - under];
      const name = spot ? 'gs-spot' : sheet ? 'gs-sheet' : `gs-handle gs-along-${handle.layer.axis}`;
      if (node.className !== name) { node.className = name; node.style.cssText = ''; }
      if (spot || sheet) {
        const box = spot ?? drawArea.box;
        if (spot) node.dataset.name = spot.panel.click;
        Object.assign(node.style, { left: `${box.x0}px`, top: `${box.y0}px`, width: `${box.x1 - box.x0}px`, height: `${box.y1 - box.y0}px` });
      } else {
        node.dataset.id = handle.id;
        node.dataset.control = handle.layer.control;
        node.style.transform = `translate(${handle.x}px, ${handle.y}px)`;
      }
    });
  }

  sprite(layer, r, colour, ground) {
    const key = [colour, r, layer.opacity, layer.hollow].join('|');
    if (!this.sprites.has(key)) {
      const reach = r + 2, dot = el('canvas'), pen = dot.getContext('2d');
      dot.width = dot.height = Math.ceil(2 * reach * this.dpr);
      dot.reach = dot.width / this.dpr / 2;
      pen.scale(this.dpr, this.dpr);
      pen.globalAlpha = layer.opacity;
      pen.beginPath();
      pen.arc(dot.reach, dot.reach, r, 0, 7);
      pen.fillStyle = colour;
      pen.strokeStyle = layer.hollow ? colour : ground;
      pen.lineWidth = layer.hollow ? this.line * 0.6 : 0.6;
      if (!layer.hollow) pen.fill();
      pen.stroke();
      this.sprites.set(key, dot);
    }
    return this.sprites.get(key);
  }

  surface(id, width, height) {
    if (!this.surfaces.has(id)) this.surfaces.set(id, el('canvas', { width, height }));
    return this.surfaces.get(id);
  }
  palette(id, layer) {
    if (!this.palettes.has(id)) this.palettes.set(id, palette(layer, this.theme));
    return this.palettes.get(id);
  }

  // --------------------------------------------------------------------------------------------------- to a file

  save(blob, ending) {
    const url = URL.createObjectURL(blob), link = el('a', { href: url, download: `${this.scene.key}.${ending}` });
    this.root.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  }
  savePng() {
    const canvas = el('canvas', { width: this.w * 2, height: this.h * 2 }), pen = canvas.getContext('2d');
    pen.scale(2, 2);
    new Picture(this, pen, this.w, this.h).draw();
    canvas.toBlob((blob) => this.save(blob, 'png'));
  }
  saveSvg() { this.save(new Blob([this.svg()], { type: 'image/svg+xml' }), 'svg'); }
  svg() {
    const pen = new SvgPen(this.w, this.h, el('canvas').getContext('2d'));
    new Picture(this, pen, this.w, this.h).draw();
    return pen.text(this.plain(this.scene.alt));
  }
}

/** Width of a number in units of a digit. */
function digitsWide(text) {
  let width = 0;
  for (const c of text) width += c === '.' || c === '·' ? 0.52 : c === ' ' ? 0.4 : 1;
  return width;
}

function nearest(values, value) {
  let low = 0, high = values.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (values[middle] <= value) low = middle;
    else high = middle;
  }
  return Math.abs(values[high] - value) < Math.abs(values[low] - value) ? high : low;
}

// ------------------------------------------------------------------------------------------------ 9 entry points

const stages = new WeakMap();
const LEAVING_MS = 3000;
let leaving = 0, here = location.pathname; // until when another page may be on its way; the page that was drawn last

/**
 * What is said of a page while another one is on its way makes Streamlit run the old one, and the step to the new one
 * is lost, or half of it: such messages wait, and go if the picture is still there.
 */
function whileHere(it, send) {
  const say = (name, value) => {
    const wait = leaving - performance.now();
    if (wait <= 0) send(name, value);
    else setTimeout(() => it.root.isConnected && say(name, value), wait);
  };
  return send && say;
}

addEventListener('click', (e) => {
  const link = e.composedPath().find((node) => node.tagName === 'A' && node.href);
  if (link && link.origin === location.origin && link.pathname !== location.pathname && !link.target) {
    leaving = performance.now() + LEAVING_MS;
  }
}, true);
addEventListener('popstate', () => {
  if (location.pathname !== here) leaving = performance.now() + LEAVING_MS;
});

/** Streamlit calls this for every message and change of theme, always with the same parent: the stage stays. */
export default function stage({ parentElement, data, setStateValue, setTriggerValue, alone = false }) {
  if (!stages.has(parentElement)) stages.set(parentElement, new Stage(parentElement, alone));
  const it = stages.get(parentElement), turn = (it.turnOf = (it.turnOf ?? 0) + 1);
  here = location.pathname;
  it.send = whileHere(it, setStateValue);
  it.trigger = whileHere(it, setTriggerValue);
  if (data?.length) it.receive(data);
  // An overtaken call is cleaned up too, while the stage lives on: only one whose picture has left the page ends.
  return () => setTimeout(() => {
    if (it.turnOf !== turn || it.root.isConnected) return;
    it.destroy();
    stages.delete(parentElement);
  }, 0);
}
