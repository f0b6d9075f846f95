/**
 * A look at the own camera and microphone before a call. Nothing of it leaves the page.
 * @module
 */

import { openMedia } from './media.js'
import { $, attach, say } from './page-dom.js'
import { problem } from './words.js'

/** @type {MediaStream | null} */
let stream = null
/** @type {AudioContext | null} */
let context = null
/** @type {ReturnType<typeof setInterval> | undefined} */
let timer
let round = 0

/** @param {boolean} video with the camera */
export async function startCheck(video) {
  const mine = ++round
  $('checked').hidden = false
  $('check').setAttribute('aria-expanded', 'true')
  say($('check-note'), 'Your browser may ask whether this page may use them.')
  try {
    const opened = await openMedia({ audio: true, video })
    if (mine !== round) return opened.stream.getTracks().forEach((track) => track.stop())
    stream = opened.stream
    say($('check-note'), opened.problems.length > 0 ? problem(opened.problems[0]) : 'Speak: the bar moves with your voice.')
  } catch (error) {
    return say($('check-note'), problem(/** @type {any} */ (error)))
  }
  attach($('preview'), stream)
  $('preview').hidden = stream.getVideoTracks().length === 0
  $('level-line').hidden = false
  measure(stream)
}

export function stopCheck() {
  round++
  clearInterval(timer)
  stream?.getTracks().forEach((track) => track.stop())
  stream = null
  context?.close()
  context = null
  attach($('preview'), null)
  $('checked').hidden = $('preview').hidden = $('level-line').hidden = true
  $('check').setAttribute('aria-expanded', 'false')
}

/** @param {MediaStream} from */
function measure(from) {
  context = new AudioContext()
  const analyser = new AnalyserNode(context, { fftSize: 1024 })
  context.createMediaStreamSource(from).connect(analyser)
  const samples = new Float32Array(analyser.fftSize)
  timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples)
    $('level').value = Math.min(1, 3 * Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length))
  }, 100)
}
