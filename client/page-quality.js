/**
 * What the page finds out by listening and measuring: that nothing is heard, that somebody speaks though muted, how good the way is.
 * @module
 */

import { meter } from './level.js'
import { $, announce, say } from './page-dom.js'
import { quality, t } from './words.js'

const EVERY = 1000 // ms
const SILENT = 5 // measurements without a byte of sound
const SPOKEN = 0.12 // level of a voice near the microphone
const LOUD = 2 // times 100 ms in a row: no click of a key
const HINTED = 6000 // ms that the hint of the muted speaker stays

/**
 * @typedef {object} Measured
 * @property {boolean | null} relayed null: there is no way yet
 * @property {number} roundTrip ms
 * @property {number} heard bytes of sound that came
 * @property {number} received packets
 * @property {number} lost packets on their way to us
 * @property {number} lostThere part of ours that the other side misses, 0 to 1
 */

/**
 * @param {Iterable<[string, any]>} report of getStats()
 * @returns {Measured}
 */
export function measured(report) {
  const items = new Map(report)
  const found = { relayed: /** @type {boolean | null} */ (null), roundTrip: 0, heard: 0, received: 0, lost: 0, lostThere: 0 }
  const used = new Set([...items.values()].map((item) => item.selectedCandidatePairId).filter(Boolean))
  for (const [id, item] of items) {
    if (item.type === 'inbound-rtp') {
      if (item.kind === 'audio') found.heard += item.bytesReceived ?? 0
      found.received += item.packetsReceived ?? 0
      found.lost += Math.max(0, item.packetsLost ?? 0) // doubled packets count as less than none
    }
    if (item.type === 'remote-inbound-rtp') found.lostThere = Math.max(found.lostThere, item.fractionLost ?? 0)
    if (item.type !== 'candidate-pair' || !item.nominated || (used.size > 0 && !used.has(id))) continue
    found.roundTrip = Math.max(found.roundTrip, 1000 * (item.currentRoundTripTime ?? 0))
    const ends = [items.get(item.localCandidateId), items.get(item.remoteCandidateId)]
    found.relayed = found.relayed || ends.some((end) => end?.candidateType === 'relay')
  }
  return found
}

/**
 * @param {any} call on show
 * @param {() => void} ticked after each measurement
 * @returns {() => void} ends it
 */
export function watch(call, ticked) {
  /** @type {Measured[]} the last ones */
  const seen = []
  let silent = 0
  const look = async () => {
    const report = await call.peerConnection?.getStats().catch(() => null)
    if (!report || call.ended) return
    const now = measured(report)
    const before = seen.at(-1)
    silent = before?.heard === now.heard && expectsSound(call) ? silent + 1 : 0
    seen.push(now)
    if (seen.length > SILENT) seen.shift()
    say($('call-quality'), call.connectedAt === null ? '' : quality(now, lossBetween(seen[0], now)))
    hint('silence', silent >= SILENT ? t('call.silence', { name: call.name }) : '')
    ticked()
  }
  const timer = setInterval(look, EVERY)
  const stopListening = listenWhileMuted(call)
  return () => {
    clearInterval(timer)
    stopListening()
    for (const which of ['silence', 'speaking', 'quality']) say($(`call-${which}`))
  }
}

/** @param {any} call */
function expectsSound(call) {
  if (call.state !== 'connected' || call.remoteMuted || call.held || call.remoteHeld) return false
  return call.peerConnection.getTransceivers().some((/** @type {RTCRtpTransceiver} */ { receiver, currentDirection }) => (
    receiver.track.kind === 'audio' && (currentDirection === 'sendrecv' || currentDirection === 'recvonly')
  ))
}

/**
 * @param {Measured} before
 * @param {Measured} now
 * @returns {number} 0 to 1
 */
export function lossBetween(before, now) {
  const lost = now.lost - before.lost
  const all = lost + now.received - before.received
  return Math.max(now.lostThere, all > 0 ? Math.max(0, lost / all) : 0)
}

/**
 * Who speaks although muted is told so. The microphone is heard through a copy of its track: the muted one is silent.
 * @param {any} call
 * @returns {() => void} ends it
 */
function listenWhileMuted(call) {
  /** @type {(() => void) | null} */
  let stop = null
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let gone
  const end = () => {
    stop?.()
    stop = null
    clearTimeout(gone)
    hint('speaking', '')
  }
  const begin = () => {
    end()
    const track = call.localStream?.getAudioTracks()[0]
    if (!call.muted || !track || call.ended) return
    const copy = track.clone()
    copy.enabled = true
    let loud = 0
    const stopMeter = meter(new MediaStream([copy]), (level) => {
      loud = level > SPOKEN ? loud + 1 : 0
      if (loud < LOUD) return
      hint('speaking', t('call.speaking'))
      clearTimeout(gone)
      gone = setTimeout(() => hint('speaking', ''), HINTED)
    })
    stop = () => { stopMeter(); copy.stop() }
  }
  for (const event of ['mute', 'streams']) call.addEventListener(event, begin)
  begin()
  return end
}

/**
 * @param {'silence' | 'speaking'} which
 * @param {string} text
 */
function hint(which, text) {
  const element = $(`call-${which}`)
  if (element.textContent === text) return
  say(element, text)
  if (text) announce(text)
}
