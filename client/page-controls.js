/**
 * What the call view offers besides mute and camera: hold, keypad, screen, devices, full screen.
 * @module
 */

import { $, announce, say } from './page-dom.js'
import { explain, paintSwitch, stateOf } from './page-call.js'
import { watch } from './page-quality.js'
import { openSetup, preferCamera } from './page-setup.js'
import { RESPOKEN } from './page-language.js'
import { t } from './words.js'

/** @type {import('./call.js').Call | null} the call on show */
let shown = null

/** @param {import('./call.js').Call} call that is on show from now on */
export function showControls(call) {
  shown = call
  for (const id of ['setup', 'settings']) if ($(id).open) $(id).close() // they were looked at before the call
  openKeys(false)
  say($('keys-typed'))
  preferCamera(call)
  const stop = watch(call, () => shown === call && paint(call))
  for (const event of ['state', 'abilities', 'streams', 'hold']) call.addEventListener(event, () => shown === call && paint(call))
  call.addEventListener('hold', () => announce(call.held || call.remoteHeld ? stateOf(call) : t('call.goes-on')))
  call.addEventListener('ended', () => { stop(); leave(call) })
  paint(call)
}

/** @param {import('./call.js').Call} call that is over */
function leave(call) {
  if (shown !== call) return
  shown = null
  if (document.fullscreenElement) document.exitFullscreen()
  if ($('setup').open) $('setup').close()
}

/** @param {import('./call.js').Call} call */
function paint(call) {
  const up = call.connectedAt !== null
  $('hold').hidden = !up
  paintSwitch('hold', call.held, t(call.held ? 'call.resume' : 'call.hold'), 'on')
  $('screen').hidden = !up || !(call.sharing || call.screenPossible)
  paintSwitch('screen', call.sharing, t(call.sharing ? 'call.unshare' : 'call.share'), 'on')
  $('keypad').hidden = !up || !call.dtmfPossible
  if ($('keypad').hidden) openKeys(false)
  $('setup-call').hidden = !call.localStream
  $('full').hidden = !up || !document.fullscreenEnabled
  paintSwitch('full', document.fullscreenElement !== null, t(document.fullscreenElement ? 'call.small' : 'call.full'), 'on')
}

/** @param {boolean} on */
function openKeys(on) {
  $('keys').hidden = !on
  $('keypad').classList.toggle('on', on)
  $('keypad').setAttribute('aria-expanded', String(on))
}

/** @param {string} key */
function press(key) {
  try {
    shown?.dtmf(key)
    say($('keys-typed'), ($('keys-typed').textContent + key).slice(-16))
  } catch (error) {
    explain(error)
  }
}

$('hold').onclick = () => shown?.hold(!shown.held).catch(explain)
$('screen').onclick = () => shown?.shareScreen(!shown.sharing).catch(explain)
$('setup-call').onclick = () => openSetup(shown)
$('keypad').onclick = () => {
  openKeys($('keys').hidden)
  if (!$('keys').hidden) $('keys').querySelector('button')?.focus()
}
$('keys').onclick = (/** @type {Event} */ { target }) => {
  const button = target instanceof Element && target.closest('button')
  if (button) press(button.value)
}
$('call').addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
  if ($('keys').hidden || event.ctrlKey || event.metaKey || event.altKey) return
  if (event.key === 'Escape') {
    openKeys(false)
    $('keypad').focus()
  } else if (/^[0-9*#]$/.test(event.key)) {
    press(event.key)
  }
})
$('full').onclick = () => (document.fullscreenElement ? document.exitFullscreen() : $('call').requestFullscreen()).catch(() => {})
for (const event of ['fullscreenchange', RESPOKEN]) document.addEventListener(event, () => shown && paint(shown))
