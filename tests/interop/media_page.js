// What a user in a test page has: a microphone with a tone of its own, a fake camera, and ears and eyes for what arrives.
globalThis.media = (() => {
  const fake = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices)
  const sound = new AudioContext()

  /** What comes out of a track for a while: made anew each time, since a track that was stopped and started is silent in an old one. */
  const listen = async (track) => {
    const stream = new MediaStream([track])
    const element = new Audio() // Chromium gives the sound of a peer connection to Web Audio only while an element plays it
    element.muted = true
    element.srcObject = stream
    element.play().catch(() => {})
    const source = sound.createMediaStreamSource(stream)
    const analyser = new AnalyserNode(sound, { fftSize: 16384, smoothingTimeConstant: 0 })
    source.connect(analyser)
    await new Promise((done) => setTimeout(done, 500))
    const [bins, samples] = [new Float32Array(analyser.frequencyBinCount), new Float32Array(analyser.fftSize)]
    analyser.getFloatFrequencyData(bins)
    analyser.getFloatTimeDomainData(samples)
    source.disconnect()
    element.srcObject = null
    return { bins, samples }
  }

  return {
    /** Every microphone that is opened from now on sends this tone. */
    async tone(hz) {
      await sound.resume()
      const microphone = new MediaStreamAudioDestinationNode(sound)
      const oscillator = new OscillatorNode(sound, { frequency: hz })
      oscillator.connect(new GainNode(sound, { gain: 0.3 })).connect(microphone)
      oscillator.start()
      navigator.mediaDevices.getUserMedia = async ({ audio, video }) => {
        const tracks = audio ? [microphone.stream.getAudioTracks()[0].clone()] : []
        if (video) tracks.push(...(await fake({ video })).getVideoTracks())
        return new MediaStream(tracks)
      }
    },
    /** The loudest frequency of what arrives, its share of the energy, and the level in dBFS. */
    async hears(connection) {
      const track = connection.getReceivers().find((receiver) => receiver.track.kind === 'audio')?.track
      if (!track) return { hz: 0, share: 0, level: -120 }
      const { bins, samples } = await listen(track)
      const power = bins.map((db) => 10 ** (db / 10))
      const best = power.indexOf(Math.max(...power))
      const sum = (numbers) => numbers.reduce((a, b) => a + b, 0)
      const level = 10 * Math.log10(sum(samples.map((x) => x * x)) / samples.length + 1e-12)
      return { hz: best * sound.sampleRate / samples.length, share: sum(power.slice(Math.max(0, best - 4), best + 5)) / sum(power) || 0, level }
    },
    found: [],
    /**
     * Notes the telephone-event packets that connections made from now on get, as RFC 4733 §2.3 has them: a worker looks at each packet
     * before the browser plays it.
     */
    noteKeys() {
      const look = `onrtctransform = ({ transformer }) => transformer.readable.pipeThrough(new TransformStream({
        transform(frame, out) {
          const data = new DataView(frame.data)
          const { payloadType } = frame.getMetadata()
          if (data.byteLength === 4) {
            postMessage({ event: data.getUint8(0), end: data.getUint8(1) >> 7, duration: data.getUint16(2), timestamp: frame.timestamp, payloadType })
          }
          out.enqueue(frame)
        },
      })).pipeTo(transformer.writable)`
      const source = URL.createObjectURL(new Blob([look]))
      globalThis.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(about) {
          super(about)
          this.addEventListener('track', ({ track, receiver }) => {
            if (track.kind !== 'audio') return
            const worker = new Worker(source)
            worker.onmessage = ({ data }) => media.found.push(data)
            receiver.transform = new RTCRtpScriptTransform(worker)
          })
        }
      }
    },
    /** Payload types of telephone-event. */
    keyTypes(connection) {
      const { codecs } = connection.getReceivers().find(({ track }) => track.kind === 'audio').getParameters()
      return codecs.filter(({ mimeType }) => mimeType === 'audio/telephone-event').map(({ payloadType }) => payloadType)
    },
    /** What has arrived so far: packets of audio, decoded frames of video. And who speaks ICE here, by which address. */
    async seen(connection) {
      const seen = { state: connection.connectionState, signaling: connection.signalingState, audio: 0, video: 0 }
      const stats = [...(await connection.getStats()).values()]
      const used = stats.find((item) => item.type === 'transport')?.selectedCandidatePairId
      const pair = stats.find((item) => item.id === used || item.selected) // Firefox says it at the pair
      seen.address = stats.find((item) => item.id === pair?.localCandidateId)?.address ?? null
      for (const item of stats) {
        if (item.type !== 'inbound-rtp') continue
        if (item.kind === 'audio') seen.audio += item.packetsReceived
        else {
          seen.video += item.framesDecoded || 0
          seen.size = [item.frameWidth, item.frameHeight]
        }
      }
      const ufrags = (description) => [...(description?.sdp ?? '').matchAll(/a=ice-ufrag:(\S+)/g)].map(([, ufrag]) => ufrag)
      seen.ufrags = [connection.currentLocalDescription, connection.currentRemoteDescription].map(ufrags)
      const sections = (description) => (description?.sdp ?? '').split(/^m=/m).slice(1)
      seen.sections = sections(connection.currentLocalDescription).map((text) => `${/^\w+ 0 /.test(text) ? 'no ' : ''}${text.split(' ', 1)}`)
      return seen
    },
  }
})()
