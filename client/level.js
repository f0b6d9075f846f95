/**
 * How loud a microphone is.
 * @module
 */

const EVERY = 100 // ms

/**
 * @param {MediaStream} stream with sound
 * @param {(level: number) => void} tell every 100 ms, from 0 to 1
 * @returns {() => void} ends it
 */
export function meter(stream, tell) {
  const context = new AudioContext()
  const analyser = new AnalyserNode(context, { fftSize: 1024 })
  context.createMediaStreamSource(stream).connect(analyser)
  const samples = new Float32Array(analyser.fftSize)
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples)
    tell(Math.min(1, 3 * Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length)))
  }, EVERY)
  return () => {
    clearInterval(timer)
    context.close()
  }
}
