// One end of a call in a browser, for the tests of the translator: a peer connection with fake devices, driven from outside.
globalThis.peer = (() => {
  const pc = new RTCPeerConnection({ bundlePolicy: 'balanced' })
  const found = []
  const channels = []
  const echoes = new Set()
  let devices = null

  pc.onicecandidate = (event) => found.push(event.candidate && event.candidate.toJSON())
  const open = (channel) => {
    channels.push(channel)
    channel.onmessage = (event) => {
      if (event.data.startsWith('echo ')) echoes.add(event.data.slice(5))
      else channel.send(`echo ${event.data}`)
    }
  }
  pc.ondatachannel = (event) => open(event.channel)

  const track = async (kind) => {
    devices ??= await navigator.mediaDevices.getUserMedia({ audio: true, video: true })
    return devices.getTracks().find((item) => item.kind === kind).clone()
  }
  const describe = async (description) => {
    await pc.setLocalDescription(description)
    return pc.localDescription.sdp
  }

  return {
    async add(kind, init = {}) {
      if (kind === 'data') open(pc.createDataChannel('test'))
      else pc.addTransceiver(await track(kind), { streams: [devices], ...init })
    },
    async offer(options = {}) {
      return describe(await pc.createOffer(options))
    },
    // Whatever is offered for the first time is answered with a device of that kind.
    async answer(sdp) {
      await pc.setRemoteDescription({ type: 'offer', sdp })
      for (const transceiver of pc.getTransceivers()) {
        if (transceiver.sender.track || transceiver.stopped) continue
        await transceiver.sender.replaceTrack(await track(transceiver.receiver.track.kind))
        transceiver.direction = 'sendrecv'
      }
      return describe(await pc.createAnswer())
    },
    accept: (sdp) => pc.setRemoteDescription({ type: 'answer', sdp }),
    candidate: (init) => pc.addIceCandidate(init),
    take: () => found.splice(0),
    direct(direction) {
      for (const transceiver of pc.getTransceivers()) transceiver.direction = direction
    },
    async seen() {
      const seen = { state: pc.connectionState, audio: 0, video: 0 }
      for (const item of (await pc.getStats()).values()) {
        if (item.type !== 'inbound-rtp') continue
        if (item.kind === 'audio') seen.audio += item.packetsReceived
        else seen.video += item.framesDecoded || 0
      }
      return seen
    },
    async echo(text) {
      const end = performance.now() + 5000
      while (!channels.some((channel) => channel.readyState === 'open') && performance.now() < end) {
        await new Promise((next) => setTimeout(next, 50))
      }
      channels.find((channel) => channel.readyState === 'open')?.send(text)
      while (!echoes.has(text) && performance.now() < end) await new Promise((next) => setTimeout(next, 20))
      return echoes.has(text)
    },
    close: () => pc.close(),
  }
})()
