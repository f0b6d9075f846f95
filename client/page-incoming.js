/**
 * The panel of a call that rings here.
 * @module
 */

import { $, announce, paintAvatar, say } from './page-dom.js'
import { tell, untell } from './page-notify.js'
import { problem, t } from './words.js'

/** @type {any} */
let ringing = null

/** @returns {any} the call that rings, or null */
export const ringingCall = () => ringing

/**
 * @param {any} call
 * @param {{current: any, onAccept: (wanted: {audio: boolean, video: boolean}) => void}} how current: the call that accepting would end
 */
export function showIncoming(call, { current, onAccept }) {
  ringing = call
  const kind = call.media.video ? 'video' : 'audio'
  const { name } = call
  paintAvatar($('incoming-avatar'), call.peer, call.name)
  say($('incoming-title'), call.name)
  say($('incoming-kind'), `${t(`incoming.${kind}`)} · ${call.peer.split('/')[0]}`)
  say($('incoming-note'), current ? t('incoming.ends', { name: current.name }) : '')
  $('accept-video').hidden = !call.media.video
  $('accept-listen').hidden = true
  $('accept').onclick = () => onAccept({ audio: true, video: false })
  $('accept-video').onclick = () => onAccept({ audio: true, video: true })
  $('accept-listen').onclick = () => onAccept({ audio: false, video: false })
  $('decline').onclick = () => call.reject()
  enable(true)
  if (!$('incoming').open) $('incoming').showModal()
  tell(call)
  announce(t(`incoming.said${call.media.video ? '.video' : ''}`, { name }), 'alarm')
  $('incoming').focus() // not a button: who is typing must not accept by accident
}

/** @param {any} call that rings no longer */
export function hideIncoming(call) {
  if (call !== ringing) return
  ringing = null
  $('incoming').close() // gives the focus back
  untell()
}

/** @param {boolean} on */
export function enable(on) {
  for (const id of ['accept', 'accept-video', 'accept-listen']) $(id).disabled = !on
}

/** @param {any} error why the call could not be accepted */
export function explain(error) {
  const text = problem(error)
  say($('incoming-note'), text)
  announce(text, 'alarm')
  $('accept-listen').hidden = !error.code?.startsWith('microphone-')
  enable(true)
}

$('incoming').addEventListener('cancel', (/** @type {Event} */ event) => event.preventDefault()) // Escape is no answer
