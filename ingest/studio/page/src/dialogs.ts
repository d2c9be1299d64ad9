// Questions asked once more, and forms: each a modal dialog of the browser's own.
import { Problem, type Link } from './api';
import { attribute, h, say } from './dom';
import { isKey, language, t, type Key } from './i18n';
import { at, rows } from './settings';

let count = 0;
/** An id for a label's sake. */
export const newID = (): string => `x${++count}`;

/** Shows a dialog until it is closed; whoever had the focus gets it back. */
function show(dialog: HTMLDialogElement): Promise<string> {
  document.body.append(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      resolve(dialog.returnValue);
      dialog.remove();
    });
    dialog.showModal();
  });
}

function frame(title: string, ...children: (Node | string)[]): HTMLDialogElement {
  const id = newID();
  return h('dialog', { 'aria-labelledby': id }, h('h2', { id }, title), ...children);
}

/** Asks once more. The harmless answer has the focus. */
export async function confirm(title: string, text: string, yes: string, no: string): Promise<boolean> {
  const dialog = frame(
    title,
    h('p', {}, text),
    h(
      'div',
      { class: 'buttons' },
      h('button', { type: 'button', class: 'big', autofocus: true, onclick: () => dialog.close('') }, no),
      h('button', { type: 'button', class: 'big danger', onclick: () => dialog.close('yes') }, yes),
    ),
  );
  return (await show(dialog)) === 'yes';
}

/** A button that copies a text and says so for a moment. */
export function copyButton(what: string, text: () => string): HTMLButtonElement {
  const words = h('span', { 'aria-live': 'polite' }, t('copy'));
  const button = h('button', { type: 'button', class: 'copy', 'aria-label': t('for_name', { what: t('copy'), name: what }) }, words);
  let timer = 0;
  button.addEventListener('click', () => {
    const said = (key: Key): void => {
      say(words, t(key));
      attribute(button, 'aria-label', t('for_name', { what: t(key), name: what }));
      clearTimeout(timer);
      if (key !== 'copy') timer = window.setTimeout(() => said('copy'), 2000);
    };
    if (!navigator.clipboard) return said('copy_failed');
    navigator.clipboard.writeText(text()).then(() => said('copied'), () => said('copy_failed'));
  });
  return button;
}

/** A value to copy: its name, the value selectable by hand, a button. */
export function copyRow(name: string, value: string): HTMLElement {
  return h('div', { class: 'copyrow' }, h('span', { class: 'what' }, name), h('code', { tabindex: 0, role: 'textbox', 'aria-readonly': true, 'aria-label': name }, value), copyButton(name, () => value));
}

export interface Field {
  label: Key;
  hint?: Key;
  control: HTMLInputElement | HTMLSelectElement;
}

export function field({ label, hint, control }: Field): HTMLElement {
  const id = (control.id ||= newID());
  const hintID = newID();
  if (hint) control.setAttribute('aria-describedby', hintID);
  const check = control instanceof HTMLInputElement && control.type === 'checkbox';
  const words = h('label', { for: id }, t(label));
  return h('div', { class: check ? 'field check' : 'field' }, ...(check ? [control, words] : [words, control]), hint ? h('p', { id: hintID, class: 'hint' }, t(hint)) : null);
}

function select(options: readonly (readonly [string, string])[], chosen: string): HTMLSelectElement {
  return h('select', {}, ...options.map(([value, text]) => h('option', { value, selected: value === chosen }, text)));
}

/** Why a deed failed: in the server's sentence, which is English, or in our own. */
export function reason(error: unknown): string {
  if (error instanceof RangeError) return error.message; // our own check
  if (!(error instanceof Problem)) return t('failed_line');
  const key = `why_${error.kind}`;
  if (language === 'en' && error.message) return error.message;
  return isKey(key) ? t(key) : error.message || t('failed_line');
}

/** A form in a dialog; send is called with the button and may throw a sentence. */
async function form(title: string, fields: Field[], button: string, send: () => Promise<void>): Promise<boolean> {
  const trouble = h('p', { class: 'wrong', role: 'alert' });
  const submit = h('button', { type: 'submit', class: 'big primary' }, button);
  const body = h(
    'form',
    {
      method: 'dialog',
      onsubmit: (event) => {
        event.preventDefault();
        submit.disabled = true;
        send()
          .then(() => dialog.close('done'))
          .catch((error: unknown) => say(trouble, reason(error)))
          .finally(() => (submit.disabled = false));
      },
    },
    ...fields.map(field),
    trouble,
    h('div', { class: 'buttons' }, h('button', { type: 'button', class: 'big', onclick: () => dialog.close('') }, t('cancel')), submit),
  );
  const dialog = frame(title, body);
  return (await show(dialog)) === 'done';
}

/** Asks for a link's particulars, makes it and shows it. room is how many bytes a name may have. */
export async function newLink(room: number, twins: readonly string[], make: (l: object) => Promise<Link>): Promise<Link | null> {
  const name = h('input', { required: true, autocomplete: 'off' });
  const role = select([['speaker', t('role_speaker')], ['host', t('role_host')]], 'speaker');
  const hours = select(['1', '6', '24', '168', '8760'].map((n) => [n, t(`hours_${n}` as Key)] as const), '24');
  const music = h('input', { type: 'checkbox' });
  const feed = h('input', { type: 'checkbox' });
  let made: Link | null = null;
  const fields: Field[] = [
    { label: 'link_name', hint: 'link_name_hint', control: name },
    { label: 'link_role', control: role },
    { label: 'link_hours', control: hours },
    { label: 'link_music', control: music },
    { label: 'link_feed', control: feed },
  ];
  await form(t('new_link'), fields, t('make'), async () => {
    const over = new TextEncoder().encode(name.value.trim()).length - room;
    if (over > 0) throw new RangeError(t('name_long', { count: String(over) }));
    made = await make({ role: role.value, name: name.value.trim(), hours: Number(hours.value), music: music.checked, feed: feed.checked, group: '', priority: 0 });
  });
  if (made) await showLink(made, twins);
  return made;
}

/** A new link: the address for the browser, and what an encoder wants to know; at every twin. */
export async function showLink(link: Link, twins: readonly string[]): Promise<void> {
  const own = new URL(link.url ?? location.href).origin;
  const others = twins.filter((twin) => twin !== own);
  const settings = [own, ...others].flatMap((twin) =>
    rows(at(twin, link.push, own), link.token ?? '').map((r) => ({ ...r, program: others.length > 0 ? `${r.program}, ${new URL(twin).host}` : r.program })),
  );
  const dialog = frame(
    t('made', { name: link.name }),
    h('p', {}, t('made_do')),
    link.url ? copyRow(t('studio_link'), link.url) : '',
    ...(link.url ? others.map((twin) => copyRow(t('spare_link'), link.url!.replace(own, twin))) : []),
    settings.length > 0
      ? h('details', {}, h('summary', {}, t('encoder')), others.length > 0 ? h('p', { class: 'hint' }, t('encoder_both')) : '', ...settings.map((r) => copyRow(`${r.program}: ${t(r.field)}`, r.value)))
      : '',
    h('div', { class: 'buttons' }, h('button', { type: 'button', class: 'big primary', onclick: () => dialog.close() }, t('close'))),
  );
  await show(dialog);
}

/** The next full hour, as a datetime-local field writes it. */
export function nextHour(now: Date): string {
  const at = new Date(now.getFullYear(), now.getMonth(), now.getDate(), now.getHours() + 1);
  const two = (n: number): string => String(n).padStart(2, '0');
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:00`;
}

/** Asks for a broadcast's particulars and announces it. */
export function newBroadcast(announce: (b: object) => Promise<unknown>): Promise<boolean> {
  const title = h('input', { required: true, maxlength: 200, autocomplete: 'off' });
  const start = h('input', { type: 'datetime-local', required: true, value: nextHour(new Date()) });
  const doors = select(['5', '15', '30', '60'].map((minutes) => [minutes, t('doors_before', { minutes })] as const), '30');
  const fields: Field[] = [
    { label: 'broadcast_title', control: title },
    { label: 'broadcast_start', control: start },
    { label: 'broadcast_doors', control: doors },
  ];
  return form(t('announce'), fields, t('announce_do'), async () => {
    await announce({ title: title.value.trim(), description: '', start: new Date(start.value).toISOString(), doors_minutes: Number(doors.value) });
  });
}

/** The words for something that the server names, its own text where we have none. */
export function named(prefix: string, kind: string, name: string, text: string): string {
  const key = `${prefix}_${kind}`;
  if (!isKey(key)) return text || kind;
  const sentence = t(key, { name });
  return sentence.includes('{') || (name === '' && t(key).includes('{name}')) ? text || kind : sentence;
}
