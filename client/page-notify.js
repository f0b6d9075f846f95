/**
 * Tells of a call while the person looks at something else: in the title of the page and, if they want that, by the system.
 * @module
 */

import { setting } from './page-store.js'
import { t } from './words.js'

/** @type {Notification | null} */
let shown = null
/** @type {string | null} of the page, while somebody calls */
let title = null

export const notifiable = () => 'Notification' in globalThis && Notification.permission === 'granted'

/** @returns {Promise<boolean>} allowed; the browser asks the person */
export async function askToNotify() {
  return 'Notification' in globalThis && await Notification.requestPermission() === 'granted'
}

/** @param {any} call that rings */
export function tell(call) {
  title ??= document.title
  document.title = t('incoming.title', { name: call.name })
  if (!setting('notify') || !notifiable() || (document.visibilityState === 'visible' && document.hasFocus())) return
  try {
    shown = new Notification(document.title, { body: t(call.media.video ? 'incoming.video' : 'incoming.audio'), tag: 'call', requireInteraction: true })
    shown.onclick = () => { focus(); shown?.close() }
  } catch {
    // browsers of phones have a constructor that only throws; the page rings all the same
  }
}

export function untell() {
  if (title !== null) document.title = title
  title = null
  shown?.close()
  shown = null
}
