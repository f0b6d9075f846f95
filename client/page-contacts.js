/**
 * The list of contacts, and the notices above it.
 * @module
 */

import { $, announce, paintAvatar, say } from './page-dom.js'
import { RESPOKEN } from './page-language.js'
import { offerSearch, showFound, wanted } from './page-search.js'
import { problem, t, theirs, timeOfDay } from './words.js'

const REDRAW = 150 // ms

/**
 * What can be done with contacts; all but `call` are those of the bridge.
 * @typedef {object} Doing
 * @property {(contact: any, video: boolean) => void} call
 * @property {any} bridge
 */

/** @type {Map<string, HTMLElement>} rows by address */
const rows = new Map()
/** What a row shows: one that has not changed is left alone, for a list of thousands comes in many parts. @type {WeakMap<HTMLElement, any>} */
let drawn = new WeakMap()
/** @type {Map<string, HTMLElement>} rows of those who ask */
const asking = new Map()
let busy = false
/** @type {ReturnType<typeof setTimeout> | null} */
let timer = null
/** @type {(() => void) | null} */
let next = null
/** The bridge of the list on show. @type {any} */
let whose = null

/**
 * Shows the list, at once or a moment later; that of another person at once, for what is pressed meanwhile would go to a bridge that is closed.
 * @param {any[]} contacts
 * @param {Doing} doing
 */
export function showContacts(contacts, doing) {
  next = () => draw(contacts, doing)
  if (timer && doing.bridge !== whose) {
    clearTimeout(timer)
    timer = null
  }
  whose = doing.bridge
  if (timer) return
  const again = () => {
    const run = next
    next = null
    timer = run && setTimeout(again, REDRAW)
    run?.()
  }
  again()
}

/**
 * Brings the list up to date, row by row, so that focus stays where it is.
 * @param {any[]} contacts
 * @param {Doing} doing
 * @returns {number} how many are seen
 */
function draw(contacts, doing) {
  const waiting = contacts.filter((contact) => contact.subscription === 'pending-in' && !contact.blocked)
  const listed = contacts.filter((contact) => contact.subscription !== 'pending-in' || contact.blocked)
  keepOnly(rows, listed)
  keepOnly(asking, waiting)
  for (const contact of waiting) ask(contact, doing.bridge)
  $('requests').hidden = waiting.length === 0
  const list = $('contacts')
  const isWanted = wanted()
  let seen = 0
  listed.forEach((contact, index) => {
    const row = rows.get(contact.jid) ?? newRow(contact.jid)
    if (drawn.get(row) !== contact) fill(row, contact, doing)
    row.hidden = !isWanted(contact)
    if (!row.hidden) seen++
    if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null)
  })
  $('no-contacts').hidden = listed.length > 0
  showFound(listed.length, seen)
  offerSearch(() => draw(contacts, doing))
  $('add').hidden = !doing.bridge.features.includes('contacts')
  $('add').onsubmit = (/** @type {SubmitEvent} */ event) => { event.preventDefault(); add(doing.bridge) }
  return seen
}

/**
 * @param {Map<string, HTMLElement>} shown
 * @param {any[]} contacts
 */
function keepOnly(shown, contacts) {
  const wanted = new Set(contacts.map(({ jid }) => jid))
  for (const [jid, row] of shown) {
    if (wanted.has(jid)) continue
    if (row.contains(document.activeElement)) $('contacts-title').focus()
    row.remove()
    shown.delete(jid)
  }
}

/** @param {any} bridge */
async function add(bridge) {
  const field = $('add-jid')
  const jid = field.value.trim()
  try {
    await bridge.addContact(jid)
    say($('add-text'), t('contacts.added', { name: jid }))
    field.value = ''
  } catch (error) {
    say($('add-text'), refusal(error))
  }
  field.focus()
}

/**
 * Somebody wants to be let in.
 * @param {any} contact
 * @param {any} bridge
 */
function ask({ jid, name }, bridge) {
  const known = asking.get(jid)
  const row = known ?? $('request-row').content.firstElementChild.cloneNode(true)
  const who = name && name !== jid.split('@')[0] ? `${name} (${jid})` : jid
  const text = t('contacts.request', { name: who })
  row.querySelector('span').textContent = text
  const [allow, refuse, block] = row.querySelectorAll('button')
  does(allow, t('contacts.allow-one', { name: jid }), () => bridge.approveContact(jid))
  does(refuse, t('contacts.refuse-one', { name: jid }), () => bridge.denyContact(jid))
  does(block, t('contacts.block-one', { name: jid }), () => bridge.blockContact(jid))
  if (known) return
  asking.set(jid, row)
  $('requests').append(row)
  announce(text)
}

/**
 * @param {HTMLButtonElement} button
 * @param {string} name
 * @param {() => Promise<unknown>} run
 */
function does(button, name, run) {
  button.setAttribute('aria-label', name)
  button.onclick = () => run().catch((error) => announce(refusal(error), 'alarm'))
}

/**
 * What the bridge says of contacts is meant for people; the words for these codes are about calls.
 * @param {any} error
 */
const refusal = (error) => ['forbidden', 'rate-limited', 'unknown-contact'].includes(error.code)
  ? theirs(error.message, `problem.contact-${error.code}`) : problem(error)

/** @param {boolean} on a call is going on: no second one */
export function setBusy(on) {
  busy = on
  for (const row of rows.values()) for (const button of row.querySelectorAll('button.icon')) /** @type {any} */ (button).disabled = on
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
    item.lang = 'en' // as the bridge says it
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
  const [back, dismiss] = item.querySelectorAll('button')
  const write = () => {
    const who = { name: name || from, time: timeOfDay(at) }
    item.querySelector('span').textContent = t('missed.from', who)
    back.setAttribute('aria-label', t('missed.back-one', who))
    dismiss.setAttribute('aria-label', t('missed.dismiss-one', who))
  }
  const remove = () => {
    item.remove()
    document.removeEventListener(RESPOKEN, write)
    $('missed').hidden = $('missed').children.length === 0
  }
  back.onclick = () => { remove(); onBack() }
  dismiss.onclick = () => { remove(); $('contacts-title').focus() }
  document.addEventListener(RESPOKEN, write)
  write()
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
 * @param {Doing} doing
 */
function fill(row, contact, { call, bridge }) {
  drawn.set(row, contact)
  const part = (/** @type {string} */ name) => /** @type {any} */ (row.querySelector(`.${name}`))
  const { jid, blocked } = contact
  const name = contact.name || jid
  paintAvatar(part('avatar'), jid, name)
  say(part('name'), name)
  part('name').title = jid
  row.dataset.presence = blocked ? 'unknown' : contact.presence
  say(part('words'), words(contact))
  label(part('call'), t('contacts.call', { name }), () => call(contact, false))
  label(part('video'), t('contacts.video', { name }), () => call(contact, true))
  part('call').hidden = blocked
  // Known to take sound only: known are those that are there.
  part('video').hidden = blocked || (contact.media.audio && !contact.media.video)
  part('more').hidden = !bridge.features.includes('contacts')
  part('more').querySelector('summary').setAttribute('aria-label', t('contacts.more', { name }))
  does(part('remove'), t('contacts.remove-one', { name }), () => bridge.removeContact(jid))
  say(part('remove'), t('contacts.remove'))
  part('remove').hidden = contact.fixed || blocked
  say(part('block'), t(blocked ? 'contacts.unblock' : 'contacts.block'))
  if (blocked) does(part('block'), t('contacts.unblock-one', { name }), () => bridge.unblockContact(jid))
  else does(part('block'), t('contacts.block-one', { name }), () => bridge.blockContact(jid))
}

/**
 * @param {any} contact
 * @returns {string} how it is with them
 */
function words({ blocked, presence, subscription, status }) {
  if (blocked) return t('contacts.blocked')
  const said = t(`presence.${presence}`) || t('presence.unknown')
  if (subscription === 'pending-out' && presence === 'unknown') return `${said} · ${t('contacts.asked')}`
  return status ? `${said} · ${status}` : said
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

document.addEventListener(RESPOKEN, () => { drawn = new WeakMap() }) // before the page shows them again
