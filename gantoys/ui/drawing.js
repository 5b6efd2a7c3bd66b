// A square paper on which somebody draws the points of a target: with a pen, in spots, with an eraser; by mouse, touch or
// keys. Python says how large the paper is and how many points it holds, and checks all that comes back.

const PEN_STEP = 0.006, PEN_WIDTH = 0.015; // from dot to dot along a stroke, and to its sides: shares of the paper's side
const SPOT = 60, SPOT_RADIUS = 0.04, ERASER = 0.045, KEY_STEP = 0.02, UNDO = 30, KEY_PAUSE = 400;
const TOOLS = [
  ['pen', 'Pen', 'Draw lines of points'],
  ['spot', 'Spots', 'Each click sets a small cloud of points'],
  ['eraser', 'Eraser', 'Take points away'],
];

class Paper {
  constructor(parent) {
    this.root = document.createElement('div');
    this.root.className = 'dp';
    parent.append(this.root);
    Object.assign(this, { points: [], past: [], tool: 'pen', last: null, token: null, count: 0, cursor: null, full: false });
    this.build();
    this.resized = new ResizeObserver(() => this.draw());
    this.resized.observe(this.canvas);
  }

  build() {
    const tools = this.add(this.root, 'div', 'dp-tools');
    this.buttons = {};
    for (const [key, name, title] of TOOLS) this.buttons[key] = this.button(tools, name, title, () => this.choose(key));
    this.undoer = this.button(tools, 'Undo', 'Take the last stroke back', () => this.undo());
    this.undoer.classList.add('dp-apart');
    this.clearer = this.button(tools, 'Clear', 'Begin anew', () => this.clear());
    this.canvas = this.add(this.root, 'canvas');
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute('role', 'application');
    this.canvas.setAttribute('aria-label', 'Paper for your target. Arrow keys move a cross, Enter uses the tool there.');
    this.words = this.add(this.root, 'p');
    this.words.setAttribute('aria-live', 'polite');
    this.canvas.addEventListener('pointerdown', (e) => this.grab(e));
    this.canvas.addEventListener('pointermove', (e) => this.drag(e));
    for (const name of ['pointerup', 'pointercancel', 'lostpointercapture']) this.canvas.addEventListener(name, () => this.release());
    this.canvas.addEventListener('keydown', (e) => this.key(e));
    this.canvas.addEventListener('blur', () => { this.cursor = null; this.draw(); });
    this.choose('pen');
  }

  add(parent, kind, name = '') {
    const node = document.createElement(kind);
    node.className = name;
    parent.append(node);
    return node;
  }

  button(parent, name, title, act) {
    const node = this.add(parent, 'button');
    Object.assign(node, { type: 'button', textContent: name, title, onclick: act });
    return node;
  }

  choose(tool) {
    this.tool = tool;
    for (const key in this.buttons) this.buttons[key].setAttribute('aria-pressed', String(key === tool));
  }

  /** Python's message: its points count when the paper is new to this page, or when Python has changed them. */
  receive(text) {
    const message = JSON.parse(text);
    Object.assign(this, { reach: message.reach, least: message.least, limit: message.limit });
    if (message.token !== this.token) {
      this.token = message.token;
      this.points = message.points;
      this.past = [];
    }
    this.draw();
  }

  // ------------------------------------------------------------------------------------------------------ the hand

  /** The place of the pointer in the paper's own units, y upward. */
  place(e) {
    const box = this.canvas.getBoundingClientRect(), side = 2 * this.reach;
    return [((e.clientX - box.left) / box.width) * side - this.reach, this.reach - ((e.clientY - box.top) / box.height) * side];
  }

  grab(e) {
    if (e.button > 0 || this.last) return;
    e.preventDefault();
    if (e.pointerType === 'mouse') this.canvas.focus({ preventScroll: true });
    this.cursor = null;
    this.canvas.setPointerCapture(e.pointerId);
    this.pointer = e.pointerId;
    this.remember();
    this.last = this.place(e);
    this.use(this.last, this.last);
  }

  drag(e) {
    if (!this.last || e.pointerId !== this.pointer) return;
    const moves = e.getCoalescedEvents?.() ?? [];
    for (const move of moves.length ? moves : [e]) this.stroke(this.place(move));
  }

  stroke(to) {
    if (this.tool === 'spot') return;
    const [x, y] = this.last, gap = 2 * this.reach * PEN_STEP, far = Math.hypot(to[0] - x, to[1] - y), steps = Math.floor(far / gap);
    if (this.tool === 'pen' && !steps) return;
    // whole steps only: the rest of the way waits for the next move, so that dots lie evenly however fast the hand is
    const count = Math.max(1, steps), share = this.tool === 'pen' ? gap / far : 1 / count;
    for (let i = 1; i <= count; i++) this.dab([x + (to[0] - x) * share * i, y + (to[1] - y) * share * i]);
    this.last = [x + (to[0] - x) * share * count, y + (to[1] - y) * share * count];
    this.draw();
  }

  release() {
    if (!this.last) return;
    this.last = null;
    this.tell();
  }

  key(e) {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[e.key];
    if (!way && e.key !== 'Enter' && e.key !== ' ') return;
    e.preventDefault();
    e.stopPropagation(); // on a page the arrow keys and space belong to the film
    const step = 2 * this.reach * KEY_STEP * (e.shiftKey ? 5 : 1);
    this.cursor ??= [0, 0];
    if (way) {
      this.cursor = this.cursor.map((v, i) => Math.max(-this.reach, Math.min(this.reach, v + way[i] * step)));
      return this.draw();
    }
    this.remember();
    this.use(this.cursor);
    clearTimeout(this.later);
    this.later = setTimeout(() => this.tell(), KEY_PAUSE);
  }

  // ----------------------------------------------------------------------------------------------------- the points

  use(at) {
    if (this.tool === 'spot') {
      for (let i = 0; i < SPOT; i++) { // even over a disc: equal areas from turn to turn of the golden angle
        const r = 2 * this.reach * SPOT_RADIUS * Math.sqrt((i + 0.5) / SPOT), turn = i * Math.PI * (3 - Math.sqrt(5));
        this.put([at[0] + r * Math.cos(turn), at[1] + r * Math.sin(turn)]);
      }
    } else this.dab(at);
    this.draw();
  }

  dab(at) {
    if (this.tool === 'eraser') {
      const r = 2 * this.reach * ERASER;
      this.points = this.points.filter(([x, y]) => Math.hypot(x - at[0], y - at[1]) > r);
    } else {
      const aside = () => 2 * this.reach * PEN_WIDTH * (Math.random() - 0.5) * 2;
      this.put([at[0] + aside(), at[1] + aside()]);
    }
  }

  /** What lies beside the paper is not drawn. */
  put([x, y]) {
    if (Math.abs(x) > this.reach || Math.abs(y) > this.reach || this.points.length >= this.limit) return;
    this.points.push([+x.toFixed(4), +y.toFixed(4)]);
  }

  remember() {
    this.past = [...this.past.slice(1 - UNDO), this.points.slice()];
  }

  undo() {
    if (!this.past.length) return;
    this.points = this.past.pop();
    this.draw();
    this.tell();
  }

  clear() {
    this.remember();
    this.points = [];
    this.draw();
    this.tell();
  }

  tell() {
    const [x, y] = [0, 1].map((i) => this.points.map((p) => p[i]));
    this.send('points', { x, y, mark: `${Date.now().toString(36)}-${++this.count}` });
  }

  // ---------------------------------------------------------------------------------------------------- the picture

  draw() {
    const side = this.canvas.clientWidth, ratio = window.devicePixelRatio || 1;
    if (!side || !this.reach) return;
    const pixels = Math.round(side * ratio);
    if (this.canvas.width !== pixels) Object.assign(this.canvas, { width: pixels, height: pixels });
    const style = getComputedStyle(this.root), pen = this.canvas.getContext('2d');
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, side, side);
    const X = (x) => ((x + this.reach) / (2 * this.reach)) * side, Y = (y) => side - X(y);
    pen.strokeStyle = style.color;
    pen.lineWidth = 1;
    for (let k = Math.ceil(-this.reach); k <= this.reach; k++) {
      pen.globalAlpha = k === 0 ? 0.28 : 0.08;
      for (const line of [[X(k), 0, X(k), side], [0, Y(k), side, Y(k)]]) {
        pen.beginPath();
        pen.moveTo(line[0], line[1]);
        pen.lineTo(line[2], line[3]);
        pen.stroke();
      }
    }
    pen.globalAlpha = 0.75;
    pen.fillStyle = style.getPropertyValue('--tone') || style.color;
    for (const [x, y] of this.points) {
      pen.beginPath();
      pen.arc(X(x), Y(y), 2.2, 0, 2 * Math.PI);
      pen.fill();
    }
    pen.globalAlpha = 1;
    if (this.cursor) {
      const [x, y] = [X(this.cursor[0]), Y(this.cursor[1])];
      pen.lineWidth = 2;
      pen.beginPath();
      for (const [dx, dy] of [[9, 0], [0, 9]]) { pen.moveTo(x - dx, y - dy); pen.lineTo(x + dx, y + dy); }
      pen.stroke();
    }
    this.say();
  }

  say() {
    const n = this.points.length;
    this.canvas.dataset.points = n;
    this.undoer.disabled = !this.past.length;
    this.clearer.disabled = !n;
    let words = `${n.toLocaleString('en')} points`;
    if (n >= this.limit) words += ': the paper is full.';
    else if (!n) words = 'Draw here: the points are what the generator will learn.';
    else if (n < this.least) words += `: draw more, at least ${this.least}.`;
    if (this.words.textContent !== words) this.words.textContent = words;
  }

  destroy() {
    this.resized.disconnect();
    clearTimeout(this.later);
    this.root.remove();
  }
}

const papers = new WeakMap();

/** Streamlit calls this for every message and change of theme, always with the same parent: the paper stays. */
export default function drawing({ parentElement, data, setStateValue }) {
  if (!papers.has(parentElement)) papers.set(parentElement, new Paper(parentElement));
  const it = papers.get(parentElement), turn = (it.turnOf = (it.turnOf ?? 0) + 1);
  it.send = setStateValue;
  it.receive(data);
  // An overtaken call is cleaned up too, while the paper lives on: only one that has left the page ends.
  return () => setTimeout(() => {
    if (it.turnOf !== turn || it.root.isConnected) return;
    it.destroy();
    papers.delete(parentElement);
  }, 0);
}
