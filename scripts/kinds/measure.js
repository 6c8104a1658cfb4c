// Finds the words of a page and gives each a colour of its own, which only class "truth" on <html> shows.
// Value: [{text, box: [left, top, right, bottom], degrees, baseline: [[x, y], …] | null, seen: 0..1}], CSS px.
(() => {
  const COLOURS = ["#f00", "#0f0", "#ff0", "#00f", "#f0f", "#0ff", "#fff"]; // red 1, green 2, blue 4: sums 1 to 7
  const GAP = 0.12, SAME_LINE = 0.5; // as in words.py

  const follows = (last, next) => {
    const height = Math.min(last.height, next.height);
    const shared = Math.min(last.bottom, next.bottom) - Math.max(last.top, next.top);
    const gap = next.left - last.right;
    return shared > SAME_LINE * height && gap > -SAME_LINE * height && gap < GAP * height;
  };

  const pieces = node => { // of a text node: what stands between spaces, cut where a line ends
    const found = [], range = document.createRange();
    const rects = (first, end) => {
      range.setStart(node, first);
      range.setEnd(node, end);
      return [...range.getClientRects()];
    };
    for (const {0: token, index: first} of node.data.matchAll(/\S+/g)) {
      const whole = rects(first, first + token.length), size = whole.length > 1 ? 1 : token.length;
      for (let at = first; whole.length && at < first + token.length; at += size) {
        const parts = size === 1 ? rects(at, at + 1) : whole;
        if (parts.length) found.push({node, first: at, end: at + size, spaced: at === first && first > 0, rect: parts.at(-1)});
      }
    }
    return found;
  };

  const runs = () => { // of pieces without a space or a new line between them
    const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    let last = null;
    while (walker.nextNode()) {
      const node = walker.currentNode;
      if (node.parentElement.closest("[data-word], svg, style, script")) continue;
      for (const piece of pieces(node)) {
        if (last && !piece.spaced && follows(last.rect, piece.rect)) found.at(-1).push(piece); else found.push([piece]);
        last = piece;
      }
      if (/\s$/.test(node.data)) last = null;
    }
    return found;
  };

  const segments = run => { // of a run: [node, first, end], one for each text node
    const parts = [];
    for (const {node, first, end} of run) {
      const last = parts.at(-1);
      if (last && last[0] === node) last[2] = end; else parts.push([node, first, end]);
    }
    return parts;
  };

  const seen = ([left, top, right, bottom], span) => { // share of points on the text at which nothing covers it
    const places = [0.1, 0.5, 0.9].map(share => left + share * (right - left));
    const hits = places.map(x => document.elementFromPoint(x, (top + bottom) / 2)); // rounds: may be a neighbour
    const home = span.parentElement, own = hit => hit === home || (hit.localName === "ink-word" && home.contains(hit));
    return hits.filter(hit => hit && own(hit)).length / hits.length;
  };

  const union = rects => [
    Math.min(...rects.map(rect => rect.left)), Math.min(...rects.map(rect => rect.top)),
    Math.max(...rects.map(rect => rect.right)), Math.max(...rects.map(rect => rect.bottom)),
  ];

  const baseline = element => { // of a word on a path: start of every character and end of the last one
    const text = element.closest("text"), matrix = text && text.getScreenCTM();
    if (!text || !element.closest("textPath")) return null;
    const before = document.createRange();
    before.setStart(text, 0);
    before.setEndBefore(element);
    const first = before.toString().length, count = element.textContent.length;
    const points = [...Array(count).keys()].map(index => text.getStartPositionOfChar(first + index));
    points.push(text.getEndPositionOfChar(first + count - 1));
    return points.map(point => point.matrixTransform(matrix)).map(point => [point.x, point.y]);
  };

  const words = runs().map(run => ({
    text: run.map(({node, first, end}) => node.data.slice(first, end)).join(""), box: union(run.map(piece => piece.rect)),
    parts: segments(run), spans: [], degrees: 0, baseline: null,
  }));
  for (const word of words.toReversed()) { // from the end, so that offsets stay valid
    for (const [node, first, end] of word.parts.toReversed()) {
      const range = document.createRange(), span = document.createElement("ink-word");
      range.setStart(node, first);
      range.setEnd(node, end);
      range.surroundContents(span);
      word.spans.push(span);
    }
    delete word.parts;
  }
  for (const word of words) { // shaped one by one: kerning changes, a word may change its line
    const rects = word.spans.flatMap(span => [...span.getClientRects()]), [left, top, right, bottom] = union(rects);
    const grown = Math.max(right - left - (word.box[2] - word.box[0]), bottom - top - (word.box[3] - word.box[1]));
    if (grown > (bottom - top) / 2) throw new Error(`${word.text} is no longer one piece`);
    Object.assign(word, {box: [left, top, right, bottom], seen: seen([left, top, right, bottom], word.spans[0])});
  }
  for (const element of document.querySelectorAll("[data-word]")) {
    const turned = element.closest("[data-degrees]");
    words.push({
      text: element.textContent, box: union([element.getBoundingClientRect()]), spans: [element], seen: 1,
      degrees: turned ? Number(turned.dataset.degrees) : 0, baseline: baseline(element),
    });
  }
  words.forEach((word, number) => {
    for (const span of word.seen > 0 ? word.spans : []) {
      span.dataset.ink = "";
      span.style.setProperty("--ink", COLOURS[number % COLOURS.length]);
    }
    delete word.spans;
  });
  for (const element of document.querySelectorAll("body *")) { // what lies on text still covers it
    if (!getComputedStyle(element).backgroundColor.endsWith(", 0)")) element.dataset.cover = "";
  }
  const style = document.createElement("style");
  style.textContent = `
    .truth { background: #000 !important; }
    .truth *, .truth *::before, .truth *::after, .truth *::marker {
      background: none !important; border-color: transparent !important; outline: none !important;
      box-shadow: none !important; text-shadow: none !important; text-decoration-color: transparent !important;
      color: transparent !important; fill: transparent !important; stroke: none !important;
      opacity: 1 !important; filter: none !important; }
    .truth [data-cover] { background: #000 !important; }
    .truth [data-ink] { color: var(--ink) !important; fill: var(--ink) !important; }`;
  document.head.append(style);
  return words;
})()
