/**
 * The language and the look of the page: as they were set, else as the browser and the system have them.
 *
 * index.html holds no words. An element with `data-t` gets the text of that key, one with `data-t-label` or `data-t-placeholder` that attribute.
 * @module
 */

import { setting } from './page-store.js'
import { language, speak, t } from './words.js'

const ATTRIBUTES = { 'data-t-label': 'aria-label', 'data-t-placeholder': 'placeholder' }

/** When this is told at `document`, what stands in the page is to be written again. */
export const RESPOKEN = 'respoken'

/** Speaks the language that is set, from now on; a file of words that does not come changes nothing. */
export async function settle() {
  dress()
  await speak([setting('language'), ...navigator.languages]).catch(() => {})
  document.documentElement.lang = language()
  translate(document)
  document.dispatchEvent(new Event(RESPOKEN))
}

export function dress() {
  const look = setting('look')
  document.documentElement.dataset.look = look
  document.querySelector('meta[name=color-scheme]')?.setAttribute('content', look || 'light dark')
}

/** @param {ParentNode} root */
function translate(root) {
  for (const element of root.querySelectorAll('[data-t]')) element.textContent = t(element.getAttribute('data-t') ?? '')
  for (const [source, target] of Object.entries(ATTRIBUTES)) {
    for (const element of root.querySelectorAll(`[${source}]`)) element.setAttribute(target, t(element.getAttribute(source) ?? ''))
  }
  for (const template of root.querySelectorAll('template')) translate(template.content)
}
