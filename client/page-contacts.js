/**
 * The list of contacts, and the notices above it.
 * @module
 */

import { $, paintAvatar, say } from './page-dom.js'
import { PRESENCE } from './words.js'

/** @type {Map<string, HTMLElement>} rows by address */
const rows = new Map()
let busy = false

/**
 * Brings the list up to date, row by row, so that focus stays where it is.
 * @param {any[]} contacts
 * @param {(contact: any, video: boolean) => void} onCall
 */
export function showContacts(contacts, onCall) {
  const list = $('contacts')
  for (const [jid, row] of rows) {
    if (contacts.some((contact) => contact.jid === jid)) continue
    row.remove()
    rows.delete(jid)
  }
  contacts.forEach((contact, index) => {
    const row = rows.get(contact.jid) ?? newRow(contact.jid)
    fill(row, contact, onCall)
    if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null)
  })
  $('no-contacts').hidden = contacts.length > 0
}

/** @param {boolean} on a call is going on: no second one */
export function setBusy(on) {
  busy = on
  for (const row of rows.values()) for (const button of row.querySelectorAll('button')) button.disabled = on
}

/** @param {string} jid */
export function focusContact(jid) {
  const button = rows.get(jid)?.querySelector('button')
  if (button) button.focus()
  else $('contacts-title').focus()
}

/** @param {string[]} sentences */
export function showWarnings(sentences) {
  $('warnings').replaceChildren(...sentences.map((sentence) => {
    const item = document.createElement('li')
    item.textContent = sentence
    return item
  }))
  $('warnings').hidden = sentences.length === 0
}

/**
 * @param {{from: string, name: string, at: string}} missed
 * @param {() => void} onBack
 */
export function addMissed({ from, name, at }, onBack) {
  const item = $('missed-row').content.firstElementChild.cloneNode(true)
  const time = new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
  item.querySelector('span').textContent = `Missed call from ${name || from}, ${time}`
  const remove = () => {
    item.remove()
    $('missed').hidden = $('missed').children.length === 0
  }
  const [back, dismiss] = item.querySelectorAll('button')
  back.setAttribute('aria-label', `Call back ${name || from}`)
  back.onclick = () => { remove(); onBack() }
  dismiss.setAttribute('aria-label', `Dismiss missed call from ${name || from}`)
  dismiss.onclick = remove
  $('missed').append(item)
  $('missed').hidden = false
}

/** @param {string} jid */
function newRow(jid) {
  const row = $('contact-row').content.firstElementChild.cloneNode(true)
  row.dataset.jid = jid
  rows.set(jid, row)
  return row
}

/**
 * @param {HTMLElement} row
 * @param {any} contact
 * @param {(contact: any, video: boolean) => void} onCall
 */
function fill(row, contact, onCall) {
  const part = (/** @type {string} */ name) => /** @type {any} */ (row.querySelector(`.${name}`))
  const name = contact.name || contact.jid
  paintAvatar(part('avatar'), contact.jid, name)
  say(part('name'), name)
  part('name').title = contact.jid
  row.dataset.presence = contact.presence
  const words = PRESENCE[contact.presence] ?? PRESENCE.unknown
  say(part('words'), contact.status ? `${words} · ${contact.status}` : words)
  label(part('call'), `Call ${name}`, () => onCall(contact, false))
  label(part('video'), `Video call ${name}`, () => onCall(contact, true))
  // Known to take sound only: known are those that are there.
  part('video').hidden = contact.media.audio && !contact.media.video
}

/**
 * @param {HTMLButtonElement} button
 * @param {string} name
 * @param {() => void} onClick
 */
function label(button, name, onClick) {
  button.setAttribute('aria-label', name)
  button.title = name
  button.disabled = busy
  button.onclick = onClick
}
