/**
 * Small helpers of the call page. Text of other people goes through `textContent` here and nowhere else.
 * @module
 */

import { hue, initials } from './words.js'

/**
 * @param {string} id
 * @returns {any} the element of index.html
 */
export const $ = (id) => document.getElementById(id)

/**
 * Shows `text`, or hides the element when there is none.
 * @param {HTMLElement} element
 * @param {string} [text]
 */
export function say(element, text = '') {
  if (element.textContent !== text) element.textContent = text
  element.hidden = text === ''
}

/**
 * Tells it to screen readers.
 * @param {string} text
 * @param {'announce' | 'alarm'} [region] alarm: interrupts what is being read
 */
export function announce(text, region = 'announce') {
  const element = $(region)
  element.textContent = ''
  // A region that gets the same text again is read again only when it was empty in between.
  setTimeout(() => { element.textContent = text }, 50)
}

/**
 * @param {HTMLElement} element
 * @param {string} jid
 * @param {string} name
 */
export function paintAvatar(element, jid, name) {
  element.textContent = initials(name || jid)
  element.dataset.hue = hue(jid)
}

/**
 * @param {HTMLMediaElement} element
 * @param {MediaStream | null} stream
 */
export function attach(element, stream) {
  if (element.srcObject !== stream) element.srcObject = stream
}
