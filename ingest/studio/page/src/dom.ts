// A few hands for the document; there is no framework.

type Child = Node | string | null | undefined | false;
type Props = Record<string, string | number | boolean | null | undefined | ((event: Event) => void)>;

/** Makes an element. A property that begins with "on" is a listener, true is an empty attribute. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else attribute(element, name, value);
  }
  element.append(...children.filter((c): c is Node | string => c !== null && c !== undefined && c !== false));
  return element;
}

/** Sets or takes away an attribute, and touches nothing when it is so already. */
export function attribute(element: Element, name: string, value: string | number | boolean | null | undefined): void {
  if (value === null || value === undefined || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
    return;
  }
  const text = value === true ? '' : String(value);
  if (element.getAttribute(name) !== text) element.setAttribute(name, text);
}

/** Sets text, and touches nothing when it is so already: live regions stay quiet. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Keeps one child for each key, in order; makes and takes away as needed. Focus stays. */
export class Keyed<T, V extends { root: HTMLElement }> {
  private readonly views = new Map<string, V>();

  constructor(
    private readonly parent: HTMLElement,
    private readonly make: (item: T) => V,
    private readonly update: (view: V, item: T) => void,
  ) {}

  show(items: readonly T[], key: (item: T) => string): void {
    const keys = new Set(items.map(key));
    for (const [k, view] of this.views) {
      if (keys.has(k)) continue;
      view.root.remove();
      this.views.delete(k);
    }
    items.forEach((item, i) => {
      let view = this.views.get(key(item));
      if (!view) this.views.set(key(item), (view = this.make(item)));
      if (this.parent.children[i] !== view.root) this.parent.insertBefore(view.root, this.parent.children[i] ?? null);
      this.update(view, item);
    });
  }

  get(key: string): V | undefined {
    return this.views.get(key);
  }
}

/** A level meter that moves by a transform alone. */
export class Meter {
  private readonly bar = h('span', { class: 'bar' });
  private readonly tip = h('span', { class: 'tip' });
  readonly root = h('div', { class: 'meter', 'aria-hidden': 'true' }, this.bar, this.tip);
  private shown = '';

  /** rms and peak as parts of the whole, 0 to 1. */
  set(rms: number, peak: number): void {
    const next = `${rms.toFixed(3)} ${peak.toFixed(3)}`;
    if (next === this.shown) return;
    this.shown = next;
    this.bar.style.transform = `translateX(${((rms - 1) * 100).toFixed(1)}%)`;
    this.tip.style.transform = `translateX(${((peak - 1) * 100).toFixed(1)}%)`;
  }
}
