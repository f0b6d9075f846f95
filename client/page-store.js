/**
 * What this browser keeps for the page. Where no storage is allowed, things are kept until the page closes, or not at all.
 * @module
 */

const SETTINGS = 'jinglebridge.settings'

/** What a browser does in which nothing was set. `''`: as the browser or the system has it. */
const USUAL = { language: '', look: '', ring: true, notify: false, name: '' }

/**
 * @param {string} key
 * @param {'localStorage' | 'sessionStorage'} [where]
 * @returns {string | null}
 */
export function stored(key, where = 'localStorage') {
  try {
    return globalThis[where].getItem(key)
  } catch {
    return null
  }
}

/**
 * @param {string} key
 * @param {string | null} text null: nothing is kept
 * @param {'localStorage' | 'sessionStorage'} [where]
 */
export function store(key, text, where = 'localStorage') {
  try {
    if (text === null) globalThis[where].removeItem(key)
    else globalThis[where].setItem(key, text)
  } catch {
    // no storage allowed
  }
}

/**
 * @param {string} key
 * @param {'localStorage' | 'sessionStorage'} [where]
 * @returns {any} an object, empty if nothing good was kept
 */
export function storedObject(key, where = 'localStorage') {
  try {
    return Object(JSON.parse(stored(key, where) ?? '{}'))
  } catch {
    return {} // somebody else wrote there
  }
}

let settings = { ...USUAL, ...storedObject(SETTINGS) }

/**
 * @template {keyof typeof USUAL} Name
 * @param {Name} name
 * @returns {(typeof USUAL)[Name]}
 */
export const setting = (name) => settings[name]

/**
 * @param {keyof typeof USUAL} name
 * @param {string | boolean} value
 */
export function set(name, value) {
  settings = { ...settings, [name]: value }
  const changed = Object.entries(settings).filter(([key, now]) => now !== USUAL[/** @type {keyof typeof USUAL} */ (key)])
  store(SETTINGS, changed.length > 0 ? JSON.stringify(Object.fromEntries(changed)) : null)
}
