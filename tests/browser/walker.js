// What `walker.py` runs in the page: finds controls, waits until the script rests, looks whether the page is whole.
(() => {
  const cut = new Set(), write = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
    const { width, height } = this.canvas, { a, d, e, f } = this.getTransform();
    const [left, right, base] = [x * a + e, (x + this.measureText(text).width) * a + e, y * d + f];
    if (width > 300 && (left < -2 || right > width + 2 || base < 4 || base > height + 2)) cut.add(text);
    return write.apply(this, arguments);
  };
  // what a touch asks of the server begins a run only when the server says so: until then the page looks at rest
  let asked = -Infinity;
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (...message) {
    asked = performance.now();
    return send.apply(this, message);
  };
  const nap = (ms) => new Promise((done) => setTimeout(done, ms));
  const roots = () => {
    const found = [document], look = (root) => {
      for (const e of root.querySelectorAll('*')) if (e.shadowRoot) { found.push(e.shadowRoot); look(e.shadowRoot); }
    };
    look(document);
    return found;
  };
  const all = (selector) => roots().flatMap((root) => [...root.querySelectorAll(selector)]);
  const stage = () => all('.gs')[0];
  const up = (e, selector) => {
    for (let n = e; n; n = n.getRootNode().host) { const found = n.closest(selector); if (found) return found; }
    return null;
  };
  const seen = (e) => {
    const box = e.getBoundingClientRect(), style = getComputedStyle(e);
    return box.width > 0 && box.height > 0 && style.visibility !== 'hidden';
  };
  const named = (e) => (e.getAttribute('aria-label') || e.title || e.innerText || e.textContent || e.id || '').trim().split('\n')
    .filter((line) => !/^(keyboard_arrow|expand)_/.test(line) && line)[0]?.slice(0, 60) ?? '';
  const kindOf = (e) => {
    const role = e.getAttribute('role'), type = e.type;
    if (e.matches('.gs-handle, .gs-spot, .gs-sheet')) return e.className.split(' ')[0].slice(3);
    if (e.matches('.dp canvas')) return 'sheet';
    if (e.tagName === 'SUMMARY') return up(e, '.gs') ? 'menu' : 'drawer';
    if (role === 'radio') return 'choice';
    if (role === 'tab') return 'tab';
    if (role === 'switch' || type === 'checkbox') return 'switch';
    if (role === 'combobox') return 'select';
    if (role === 'radiogroup') return e.dataset.testid === 'stRadioGroup' ? 'answers' : null;
    if (type === 'range') return 'slider';
    if (type === 'file') return 'file';
    if (type === 'number') return 'number';
    if (type === 'text' || e.tagName === 'TEXTAREA') return 'text';
    if (e.tagName !== 'BUTTON') return null;
    if (e.closest('.react-aria-ComboBox, [data-testid=stNumberInputContainer], [data-testid=stFileUploader]')) return null;
    if (e.dataset.testid === 'stPopoverButton') return 'popover';
    if (up(e, '.gs')) return e.closest('.gs-menu') ? 'keep' : e.className === 'gs-play' ? 'play' : 'deck';
    return up(e, '[data-testid=stDownloadButton]') ? 'keep' : 'button';
  };
  const nameOf = (e, kind) => {
    if (kind === 'choice') return named(e.closest('[role=radiogroup]') ?? e) + ' / ' + named(e);
    if (kind === 'switch' || kind === 'file') return named(e.closest('[data-testid]') ?? e);
    if (kind === 'play') return 'play';
    if (e.matches('.gs-handle')) return e.dataset.control;
    if (e.matches('.gs-spot')) return e.dataset.name;
    return named(e);
  };
  const NODES = '[role=radiogroup], button, input, textarea, summary, .gs-handle, .gs-spot, .gs-sheet, .dp canvas';
  const controls = (within) => {
    const found = [], count = {};
    for (const e of all(NODES)) {
      const kind = kindOf(e), place = up(e, within);
      const hidden = kind === 'file' || kind === 'switch' || e.closest('.gs-menu'); // drawn by something else, or folded up
      if (!kind || !place || e.disabled || up(e, '.gs-unseen') || !(hidden || seen(e))) continue;
      const name = nameOf(e, kind), id = `${kind}|${name}`, n = (count[id] = (count[id] ?? 0) + 1);
      found.push({ e, kind, name, n, picture: !!up(e, '.gs'), leads: !!e.querySelector('kbd') });
    }
    return found;
  };
  // which view it is: what is chosen, but for the answers to questions
  const view = () => all('[role=radio][aria-checked=true]').map(named).join(', ');
  const drawn = () => {
    const canvas = stage()?.querySelector('canvas');
    if (!canvas || !canvas.width || !canvas.dataset.pictures) return 0;
    const small = Object.assign(document.createElement('canvas'), { width: 96, height: 54 }), pen = small.getContext('2d');
    pen.drawImage(canvas, 0, 0, 96, 54);
    return new Set(new Uint32Array(pen.getImageData(0, 0, 96, 54).data.buffer)).size;
  };
  window.walk = {
    one: (within, kind, name, n) => controls(within).find((c) => c.kind === kind && c.name === name && c.n === n)?.e ?? null,
    focus: (...where) => {
      const e = walk.one(...where);
      e?.focus();
      return !!e;
    },
    settle: async () => {
      const app = () => document.querySelector('[data-test-script-state]')?.dataset.testScriptState;
      for (let quiet = 0, turn = 0; quiet < 2 && turn < 2000; turn++) {
        await nap(turn ? 12 : 24);
        if (app() !== 'notRunning') asked = -Infinity;
        const begins = performance.now() - asked < 500;
        quiet = app() === 'notRunning' && !begins && !stage()?.waiting ? quiet + 1 : 0;
      }
    },
    after: async (within) => {
      await walk.settle();
      for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame); // what can be grabbed follows the picture
      const list = controls(within).map(({ e, ...control }) => control);
      return { wrong: walk.look(), view: view(), list };
    },
    look: () => {
      const wrong = all('[data-testid=stException]').map((e) => `an error box: ${e.innerText.slice(0, 200)}`);
      wrong.push(...all('[data-testid=stMain] code, [data-testid=stMain] p').filter((e) => e.innerText.trim() === 'None').map(() => 'a stray None'));
      wrong.push(...all('[role=dialog]').filter((e) => /not found/i.test(e.innerText)).map((e) => e.innerText.slice(0, 80)));
      if (drawn() < 6) wrong.push('the picture is gone');
      const words = stage()?.innerText ?? '';
      if (/[{}]|\|(real|fake|disc)\]/.test(words)) wrong.push(`raw markup: ${words.slice(0, 200)}`);
      wrong.push(...[...cut].map((text) => `cut: ${text}`));
      cut.clear();
      return wrong;
    },
  };
})();
