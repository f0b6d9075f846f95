/**
 * A look at the own camera and microphone before a call, or during it. Nothing of it leaves the page.
 * @module
 */

import { meter } from './level.js'
import { openMedia } from './media.js'
import { $, attach, say } from './page-dom.js'
import { problem, t } from './words.js'

/** @type {MediaStream | null} that we opened */
let own = null
/** @type {(() => void) | undefined} */
let stopMeter
let round = 0

/** @param {{audio?: boolean | MediaTrackConstraints, video: boolean | MediaTrackConstraints}} wanted */
export async function startCheck({ audio = true, video }) {
  const mine = ++round
  release()
  open(t('setup.asks'))
  try {
    const opened = await openMedia({ audio, video })
    if (mine !== round) return opened.stream.getTracks().forEach((track) => track.stop())
    own = opened.stream
    show(own, opened.problems.length > 0 ? problem(opened.problems[0]) : '')
  } catch (error) {
    if (mine === round) say($('check-note'), problem(/** @type {any} */ (error)))
  }
}

/** @param {MediaStream} stream of the call that is on: nothing is opened for it, nor closed */
export function checkStream(stream) {
  round++
  release()
  open(t('setup.speak'))
  show(stream, '')
}

export function stopCheck() {
  round++
  release()
  $('checked').hidden = true
}

/** @param {string} text */
function open(text) {
  $('checked').hidden = false
  say($('check-note'), text)
}

/**
 * @param {MediaStream} stream
 * @param {string} trouble
 */
function show(stream, trouble) {
  const heard = stream.getAudioTracks().length > 0
  say($('check-note'), trouble || (heard ? t('setup.speak') : ''))
  attach($('preview'), stream)
  $('preview').hidden = stream.getVideoTracks().length === 0
  $('level-line').hidden = !heard
  if (heard) stopMeter = meter(stream, (level) => { $('level').value = level })
}

function release() {
  stopMeter?.()
  stopMeter = undefined
  own?.getTracks().forEach((track) => track.stop())
  own = null
  attach($('preview'), null)
  $('preview').hidden = $('level-line').hidden = true
}
