// Can what is on a page be read, and by everybody? Shared by the browser tests of the site and of the reports.
//
// faintText(view)  text whose contrast with what lies behind it is below WCAG's 4.5 (3 where it is large)
// unnamed(view)    pictures without words for a reader who cannot see them

const LEAST = 4.5, LEAST_LARGE = 3;
const SVG_SPACE = "http://www.w3.org/2000/svg";

function channels(colour) {
  const parts = colour.match(/rgba?\(([^)]+)\)/);
  if (!parts) return null; // none, a pattern
  const [red, green, blue, alpha = 1] = parts[1].split(/[\s,/]+/).map(Number);
  return [red, green, blue, alpha];
}

function over(front, back) {
  const alpha = front[3];
  return [0, 1, 2].map(index => alpha * front[index] + (1 - alpha) * back[index]).concat(1);
}

function luminance(colour) {
  const [red, green, blue] = colour.slice(0, 3).map(value => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one, other) {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

function isDrawn(node) { return node.namespaceURI === SVG_SPACE && node.localName !== "svg"; }

let opacities = new WeakMap(), grounds = new WeakMap(); // of the elements of the page at hand

function opacityOf(view, node) {
  if (!node) return 1;
  if (!opacities.has(node)) opacities.set(node, Number(view.getComputedStyle(node).opacity) * opacityOf(view, node.parentElement));
  return opacities.get(node);
}

// The colour an element paints, seen through its own and its ancestors' opacity; null where it paints none.
function paint(view, node) {
  const style = view.getComputedStyle(node);
  const colour = channels(isDrawn(node) ? style.fill : style.backgroundColor);
  if (!colour) return null;
  return [...colour.slice(0, 3), colour[3] * (isDrawn(node) ? Number(style.fillOpacity) : 1) * opacityOf(view, node)];
}

// The ground that an element and its ancestors paint; null over a picture, of which only the pixels would tell.
function ground(view, node) {
  if (!node) return [255, 255, 255, 1];
  if (!grounds.has(node)) {
    const colour = isDrawn(node) ? null : paint(view, node);
    if (colour && colour[3] === 1) grounds.set(node, colour);
    else {
      const below = ground(view, node.parentElement);
      grounds.set(node, below && colour ? over(colour, below) : below);
    }
  }
  return grounds.get(node);
}

// What is behind a point of a drawing's text: the shapes painted below it there, on the drawing's ground.
function behind(view, node, x, y) {
  if (!isDrawn(node)) return ground(view, node);
  const all = node.ownerDocument.elementsFromPoint(x, y);
  const place = all.findIndex(other => other === node || node.contains(other));
  const painted = [];
  for (const other of all.slice(place + 1)) {
    if (["image", "img", "canvas"].includes(other.localName)) return null;
    if (!isDrawn(other)) break;
    const colour = paint(view, other);
    if (colour && colour[3] && !other.contains(node)) painted.push(colour);
  }
  return painted.reduceRight((back, front) => over(front, back), ground(view, node.ownerSVGElement));
}

function textNodes(root) {
  const walker = root.ownerDocument.createTreeWalker(root, 4); // 4: text
  const found = [];
  while (walker.nextNode()) if (walker.currentNode.data.trim()) found.push(walker.currentNode);
  return found;
}

function isSeen(node) {
  if (!node.checkVisibility({opacityProperty: true, visibilityProperty: true})) return false;
  if (node.closest(".unseen, script, style, noscript, svg title, svg desc, annotation")) return false;
  const box = node.getBoundingClientRect();
  return box.width > 1 && box.height > 1;
}

function faintText(view) {
  const root = view.document.body, faint = new Map(), known = new Map();
  opacities = new WeakMap(), grounds = new WeakMap();
  for (const text of textNodes(root)) {
    const node = text.parentElement;
    if (known.has(node) || !isSeen(node)) continue;
    known.set(node, true);
    const style = view.getComputedStyle(node), drawn = isDrawn(node);
    const colour = channels(drawn ? style.fill : style.color);
    if (!colour) continue;
    const size = parseFloat(style.fontSize) * (drawn ? Math.abs(node.getScreenCTM().d) || 1 : 1);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const front = [...colour.slice(0, 3), colour[3] * opacityOf(view, node)];
    const box = node.getBoundingClientRect();
    for (const share of drawn ? [0.1, 0.5, 0.9] : [0.5]) {
      const back = behind(view, node, box.left + share * box.width, box.top + box.height / 2);
      if (!back) continue;
      const ratio = contrast(over(front, back), back);
      if (ratio >= (large ? LEAST_LARGE : LEAST)) continue;
      const words = `${node.localName}.${node.getAttribute("class") || ""} ${colour.slice(0, 3)} on`
        + ` ${back.slice(0, 3).map(Math.round)}: ${ratio.toFixed(2)}`;
      if (!faint.has(words)) faint.set(words, `${words} "${text.data.trim().slice(0, 30)}"`);
    }
  }
  return [...faint.values()];
}

function unnamed(view) {
  const found = [];
  for (const image of view.document.images) if (!image.hasAttribute("alt")) found.push(`img ${image.src.slice(0, 60)}`);
  for (const svg of view.document.querySelectorAll("svg")) {
    const named = svg.getAttribute("role") === "img" && (svg.getAttribute("aria-label") || svg.querySelector("title"));
    const decorates = svg.closest("[aria-hidden=true], a, button, label, form"); // beside words that say the same
    if (!named && !decorates && svg.getClientRects().length) found.push(svg.outerHTML.slice(0, 80));
  }
  return found;
}
