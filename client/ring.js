/**
 * Ring tones, made with WebAudio. Browsers allow sound only after the person has touched the page; before that the ring
 * is silent, and starts with the first touch.
 * @module
 */

/** Seconds in which a tone begins and ends, its frequency in Hz, for one round. */
const PATTERNS = {
  incoming: { round: 2.6, peak: 0.16, notes: [[0, 0.28, 587], [0.2, 0.5, 740], [0.4, 0.9, 880], [1, 1.28, 587], [1.2, 1.5, 740], [1.4, 1.9, 880]] },
  ringback: { round: 4, peak: 0.05, notes: [[0, 1, 425]] },
  waiting: { round: 4, peak: 0.05, notes: [[0, 0.2, 740], [0.3, 0.5, 740]] }, // somebody else calls during a call
}

/** @type {AudioContext | null} */
let context = null
/** @type {keyof typeof PATTERNS | null} */
let playing = null
/** @type {ReturnType<typeof setInterval> | undefined} */
let timer
/** @type {GainNode | null} */
let out = null

/** Lets sound begin at the first touch or key. */
export function unlockSound() {
  const unlock = () => {
    try {
      context ??= new AudioContext()
      context.resume().then(() => { if (playing) start(playing) }, () => {})
    } catch {
      return // no sound device: the page is quiet
    }
    for (const type of ['pointerdown', 'keydown']) removeEventListener(type, unlock)
  }
  for (const type of ['pointerdown', 'keydown']) addEventListener(type, unlock)
}

/** @param {keyof typeof PATTERNS | null} pattern null: be quiet */
export function ring(pattern) {
  if (pattern === playing) return
  playing = pattern
  clearInterval(timer)
  out?.disconnect()
  out = null
  if (pattern) start(pattern)
}

/**
 * One round of the ring tone, to try a speaker.
 * @param {string} deviceId '': as the system has it
 */
export async function playOnce(deviceId) {
  context ??= new AudioContext()
  // Not every browser lets Web Audio have a speaker of its own.
  await Promise.all([context.resume(), /** @type {any} */ (context).setSinkId?.(deviceId)]).catch(() => {})
  playRound('incoming', context.destination)
}

/** @param {keyof typeof PATTERNS} pattern */
function start(pattern) {
  if (context?.state !== 'running' || out) return
  out = context.createGain()
  out.connect(context.destination)
  const speaker = out
  playRound(pattern, speaker)
  timer = setInterval(() => playRound(pattern, speaker), PATTERNS[pattern].round * 1000)
}

/**
 * @param {keyof typeof PATTERNS} pattern
 * @param {AudioNode} speaker
 */
function playRound(pattern, speaker) {
  if (!context) return
  const { notes, peak } = PATTERNS[pattern]
  for (const [from, to, frequency] of notes) {
    const oscillator = context.createOscillator()
    const envelope = context.createGain()
    const at = context.currentTime + 0.02
    oscillator.frequency.value = frequency
    envelope.gain.setValueAtTime(0, at + from)
    envelope.gain.linearRampToValueAtTime(peak, at + from + 0.03)
    envelope.gain.setTargetAtTime(0, at + to - 0.12, 0.05)
    oscillator.connect(envelope).connect(speaker)
    oscillator.start(at + from)
    oscillator.stop(at + to + 0.2)
  }
}
