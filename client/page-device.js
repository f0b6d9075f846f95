/**
 * This browser as a signed-in device: where its credential is kept, and the list of the person's devices.
 * @module
 */

import { $, announce, say } from './page-dom.js'
import { store, stored } from './page-store.js'
import { day, t } from './words.js'

const STORED = 'jinglebridge.device'

/** Where no storage is allowed, signed in means until the page closes. @type {string | null} */
let kept = null

/** @returns {string | null} the credential of this browser */
export const device = () => stored(STORED) ?? kept

/** @param {string | null} credential null: signed out */
export function keepDevice(credential) {
  kept = credential
  store(STORED, credential)
}

/** @returns {string} what the list of devices calls this browser */
export function deviceLabel() {
  const { userAgent } = navigator
  const find = (/** @type {[RegExp, string][]} */ names) => names.find(([pattern]) => pattern.test(userAgent))?.[1]
  const browser = find([[/Firefox/, 'Firefox'], [/Edg/, 'Edge'], [/OPR/, 'Opera'], [/Chrom/, 'Chromium'], [/Safari/, 'Safari']])
  const system = find([[/Android/, 'Android'], [/iPhone|iPad/, 'iOS'], [/Windows/, 'Windows'], [/Mac OS/, 'macOS'], [/Linux/, 'Linux']])
  return [browser ?? 'Browser', system].filter(Boolean).join(', ')
}

/**
 * @param {import('./jinglebridge.js').Bridge} bridge that is connected
 * @param {boolean} byDevice this page came in by a device credential
 * @param {() => void} onSignOut
 */
export function offerDevices(bridge, byDevice, onSignOut) {
  $('devices').hidden = !bridge.features.includes('devices') || !byDevice
  $('sign-out').onclick = onSignOut
  if (!$('devices').hidden) refresh(bridge)
}

/** @param {import('./jinglebridge.js').Bridge} bridge */
export async function refresh(bridge) {
  try {
    const { devices } = await bridge.request('devices')
    $('device-list').replaceChildren(...devices.map((/** @type {any} */ one) => row(bridge, one)))
  } catch {
    // the connection is gone; the banner says so
  }
}

/**
 * @param {import('./jinglebridge.js').Bridge} bridge
 * @param {{id: string, label: string, used: string, current: boolean}} one
 */
function row(bridge, { id, label, used, current }) {
  const item = $('device-row').content.cloneNode(true).firstElementChild
  const name = label || t('devices.unnamed')
  say(item.querySelector('.name'), name)
  item.querySelector('.quiet').textContent = current ? t('devices.current') : t('devices.used', { day: day(used) })
  const button = item.querySelector('button')
  button.hidden = current // which has a button of its own
  button.setAttribute('aria-label', t('devices.sign-out-one', { name }))
  button.onclick = async () => {
    button.disabled = true
    await bridge.request('devices.revoke', { device: id }).catch(() => {})
    announce(t('devices.signed-out', { name }))
    await refresh(bridge)
    $('devices-title').focus()
  }
  return item
}
