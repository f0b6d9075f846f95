/**
 * The list of calls that are over.
 * @module
 */

import { $, say } from './page-dom.js'
import { lasted, moment, t } from './words.js'

const FEW = 8 // entries before anybody asks for more
const MANY = 50

/** @type {any[]} the latest first */
let shown = []

/**
 * Asks the bridge for the latest calls and shows them.
 * @param {import('./jinglebridge.js').Bridge} bridge
 * @param {(jid: string, video: boolean) => void} onCall
 */
export async function showHistory(bridge, onCall) {
  if (!bridge.features.includes('history')) return
  try {
    const { calls, more } = await bridge.history({ limit: Math.max(FEW, shown.length) })
    shown = calls
    paint(bridge, onCall, more)
  } catch {
    // the list stays as it is; it is asked for again after the next call
  }
}

/**
 * @param {import('./jinglebridge.js').Bridge} bridge
 * @param {(jid: string, video: boolean) => void} onCall
 */
async function showMore(bridge, onCall) {
  $('more-history').disabled = true
  try {
    const { calls, more } = await bridge.history({ limit: MANY, before: shown.at(-1).at })
    const first = shown.length
    shown.push(...calls)
    paint(bridge, onCall, more)
    $('history').children[first]?.querySelector('button').focus()
  } catch {
    // the button is there to be pressed again
  }
  $('more-history').disabled = false
}

/**
 * @param {import('./jinglebridge.js').Bridge} bridge
 * @param {(jid: string, video: boolean) => void} onCall
 * @param {boolean} more
 */
function paint(bridge, onCall, more) {
  $('history').replaceChildren(...shown.map((entry) => row(entry, () => onCall(entry.with, entry.media.video))))
  $('history-part').hidden = shown.length === 0
  $('more-history').hidden = !more
  $('more-history').onclick = () => showMore(bridge, onCall)
}

/**
 * @param {any} entry
 * @param {() => void} onCall
 */
function row(entry, onCall) {
  const item = $('history-row').content.firstElementChild.cloneNode(true)
  const missed = entry.direction === 'in' && !entry.answered && entry.reason !== 'declined'
  item.classList.toggle('unanswered', missed)
  say(item.querySelector('.name'), entry.name)
  item.querySelector('.name').title = entry.with
  item.querySelector('.what').textContent = lasted(entry, missed)
  const time = item.querySelector('time')
  time.dateTime = entry.at
  time.textContent = moment(new Date(entry.at), new Date())
  const button = item.querySelector('button')
  button.setAttribute('aria-label', t('history.again', { name: entry.name }))
  button.onclick = onCall
  return item
}
