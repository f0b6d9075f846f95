/**
 * Small helpers of the call page. Text of other people goes through `textContent` here and nowhere else.
 * @module
 */

import { hue, initials } from './words.js'

/** Marks that write a text from right to left whatever it is: "exe.png" for gnp.exe. */
const TURNING = /[\u202a-\u202e]/g

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
  const harmless = text.replace(TURNING, '')
  if (element.textContent !== harmless) element.textContent = harmless
  element.hidden = harmless === ''
}

/**
 * Tells it to screen readers.
 * @param {string} text
 * @param {'announce' | 'alarm'} [region] alarm: interrupts what is being read
 */
export function announce(text, region = 'announce') {
  // While a dialog is open, nothing outside of it is read.
  const place = [...document.querySelectorAll('dialog[open]')].at(-1) ?? document.body
  const element = /** @type {HTMLElement} */ (place.querySelector(`:scope > .${region}`))
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
