/**
 * What the page says, in the language that was chosen: the sentences are in words-en.js and its sisters, one file each.
 * No name of a person is trusted: they end up in `textContent` only.
 * @module
 */

import english from './words-en.js'

/** What there is, with the name that its speakers give it. @type {Record<string, [string, () => Promise<{default: Record<string, string>}>]>} */
const LANGUAGES = {
  en: ['English', async () => ({ default: english })],
  de: ['Deutsch', () => import('./words-de.js')],
}

/** @type {Record<string, string>} */
let words = english
/** What the developer of a page says otherwise. @type {Record<string, string>} */
let own = {}
let spoken = 'en'

/** @returns {[string, string][]} code and name of each language */
export const languages = () => Object.entries(LANGUAGES).map(([code, [name]]) => [code, name])

/** @returns {string} the code of the language that is spoken */
export const language = () => spoken

/**
 * @param {readonly string[]} wishes as `navigator.languages` has them: the first that there is; else English
 * @returns {Promise<void>} when all that follows is in that language
 */
export async function speak(wishes) {
  const code = wishes.map((wish) => wish.toLowerCase().split('-')[0]).find((wish) => Object.hasOwn(LANGUAGES, wish)) ?? 'en'
  const { default: found } = await LANGUAGES[code][1]()
  words = { ...found, ...own }
  spoken = code
}

/** Other words for some sentences, in any language. @param {Record<string, string>} changed by the keys of words-en.js */
export function reword(changed) {
  own = { ...own, ...changed }
  words = { ...words, ...own }
}

/** Would turn the sentence around them. */
const DIRECTION_MARKS = /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]|[\ud802\ud803\ud83a\ud83b]/

/** @param {string | number} value put into a sentence, which keeps its direction whatever the value holds */
function plain(value) {
  const text = String(value).replace(DIRECTION_MARKS, '')
  return RIGHT_TO_LEFT.test(text) ? `\u2068${text}\u2069` : text
}

/**
 * @param {string} key of words-en.js
 * @param {Record<string, string | number>} [values] for its placeholders
 * @returns {string} '' where there is no such sentence
 */
export const t = (key, values = {}) => (words[key] ?? '').replace(/\{(\w+)\}/g, (_, name) => plain(values[name] ?? ''))

/**
 * The first of these sentences that there is.
 * @param {string[]} keys
 * @param {Record<string, string | number>} [values]
 */
const first = (keys, values) => t(keys.find((key) => words[key]) ?? '', values)

/**
 * @param {string} key
 * @param {number} count
 */
export const many = (key, count) => first(count === 0 ? [`${key}.none`, `${key}.other`] : [`${key}.${new Intl.PluralRules(spoken).select(count)}`, `${key}.other`], { count })

/**
 * How a call ended.
 * @param {{reason: string, name: string, direction: string, connectedAt: number | null}} call
 */
export function ended({ reason, name, direction, connectedAt }) {
  const key = `ended.${reason}`
  return first([...connectedAt === null ? [] : [`${key}.talked`], `${key}.${direction}`, key, 'ended.failed'], { name })
}

/** @param {{code?: string, what?: string, message: string}} error */
export const problem = ({ code = '', what, message }) => first([`problem.${code}.${what}`, `problem.${code}`, `doorstep.${code}`, 'problem.unknown'], { message: sentence(message) })

/** @param {string} text of the bridge or the other side, perhaps half a sentence */
export const sentence = (text) => text && `${text[0].toUpperCase()}${text.slice(1)}${/[.!?…]$/.test(text) ? '' : '.'}`

/**
 * What the bridge says to people, it says in English.
 * @param {string} text
 * @param {string} key of what is said in other languages
 */
export const theirs = (text, key) => (spoken === 'en' ? sentence(text) : t(key))

/** Why this page does not know who you are. @param {string} code of a BridgeError */
export const doorstep = (code) => first([`doorstep.${code}`, 'doorstep.not-authorized'])

/** @param {{code?: string, message: string}} error of a `<jingle-call>` */
export const buttonProblem = (error) => t(`button.error.${error.code}`) || problem(error)

/**
 * @param {any} call of a `<jingle-call>`, which has ended
 * @param {string} name
 */
export const buttonEnd = (call, name) => (call.error ? buttonProblem(call.error) : ended({ reason: call.reason, direction: call.direction, connectedAt: call.connectedAt, name }))

/**
 * @param {{relayed: boolean | null, roundTrip: number}} way
 * @param {number} loss 0 to 1
 */
export function quality({ relayed, roundTrip }, loss) {
  if (relayed === null) return ''
  const grade = loss > 0.08 || roundTrip > 500 ? 'weak' : loss > 0.02 || roundTrip > 250 ? 'fair' : 'good'
  return t(`quality.${grade}.${relayed ? 'relayed' : 'direct'}`, { ms: Math.round(roundTrip), loss: Math.round(100 * loss) })
}

/**
 * @param {number} seconds
 * @returns {string} 0:07, 12:30, 1:02:03
 */
export function clock(seconds) {
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60]
  const shown = parts[0] > 0 ? parts : parts.slice(1)
  return shown.map((part, index) => index === 0 ? String(part) : String(part).padStart(2, '0')).join(':')
}

/**
 * What became of a call.
 * @param {{direction: string, answered: boolean, seconds: number, reason: string, media: {video: boolean}}} entry
 * @param {boolean} missed
 */
export function lasted({ direction, answered, seconds, reason, media }, missed) {
  const what = missed ? 'missed' : answered ? direction : direction === 'in' ? 'refused-in' : reason === 'declined' ? 'refused-out' : 'unanswered'
  return t(`history.${what}${media.video ? '.video' : ''}`, { time: clock(seconds) })
}

/**
 * @param {Date} at
 * @param {Date} now
 * @returns {string} the time of today, the day of others
 */
export function moment(at, now) {
  const today = at.toDateString() === now.toDateString()
  return at.toLocaleString(locale(), today ? { hour: 'numeric', minute: '2-digit' } : { month: 'short', day: 'numeric', hour: 'numeric', minute: '2-digit' })
}

/** @param {string} at RFC 3339 */
export const timeOfDay = (at) => new Date(at).toLocaleTimeString(locale(), { hour: 'numeric', minute: '2-digit' })

/** @param {string} at RFC 3339 */
export const day = (at) => new Date(at).toLocaleDateString(locale())

/** The person's own way to write times, if it is one of this language. */
const locale = () => globalThis.navigator?.languages?.find((wish) => wish.startsWith(spoken)) ?? spoken

/**
 * @param {string} name
 * @returns {string} one or two letters
 */
export function initials(name) {
  const parts = name.split(/[^\p{L}\p{N}]+/u).filter(Boolean)
  return parts.slice(0, name.includes('@') ? 1 : 2).map((part) => [...part][0]).join('').toUpperCase() || '?'
}

/**
 * @param {string} jid
 * @returns {string} one of eight colours, always the same for a person; "0" to "7"
 */
export function hue(jid) {
  let sum = 0
  for (const letter of jid.split('/')[0]) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) % 65521
  return String(sum % 8)
}
