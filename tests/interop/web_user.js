// A web user: client/jinglebridge.js as any page would use it, and every frame that it exchanges with the bridge.
globalThis.user = (() => {
  const frames = []
  globalThis.WebSocket = class extends WebSocket {
    constructor(...about) {
      super(...about)
      this.addEventListener('message', ({ data }) => frames.push({ way: 'in', ...JSON.parse(data) }))
    }

    send(data) {
      frames.push({ way: 'out', ...JSON.parse(data) })
      super.send(data)
    }
  }

  const problems = []
  let bridge = null
  let call = null
  const take = (next) => {
    call = next
    call.addEventListener('problem', ({ detail }) => problems.push(`${detail.code} ${detail.what ?? ''}`.trim()))
  }
  const pc = () => call.peerConnection

  return {
    async connect(token, url) {
      const { connect } = await import(`${url}/client/jinglebridge.js`)
      bridge = await connect({ token })
      bridge.addEventListener('incoming', ({ detail }) => take(detail))
      return bridge.jid
    },
    call(jid, wanted) {
      take(bridge.call(jid, wanted))
    },
    accept: (wanted) => call.accept(wanted),
    reject: () => call.reject(),
    hangUp: () => call.hangUp(),
    mute: (on) => call.mute(on),
    camera: (on) => call.camera(on),
    hold: (on) => call.hold(on),
    async shareScreen(on) {
      await call.shareScreen(on)
      const { width, height } = call.screenStream?.getVideoTracks()[0].getSettings() ?? {}
      return [width, height]
    },
    switchDevice: (ids) => call.switchDevice(ids),
    dtmf: (tones) => call.dtmf(tones),
    /** `hold` or `active`: a word to the other side, and nothing else. */
    async inform(info) {
      await bridge.request('info', { call: call.id, info })
    },
    close: () => bridge.close(),

    // What only perfect negotiation does.
    direct(direction) {
      for (const transceiver of pc().getTransceivers()) transceiver.direction = direction
    },
    restartIce: () => pc().restartIce(),
    removeVideo() {
      pc().getTransceivers().find(({ receiver }) => receiver.track.kind === 'video').stop()
    },

    report() {
      const { id, state, direction, reason, text, name, remoteMuted, remoteCameraOff, muted, held, remoteHeld, dtmfPossible, abilities, sharing, remoteSharing, cameraOn } = call ?? {}
      const contacts = Object.fromEntries((bridge?.contacts ?? []).map((contact) => [contact.jid, contact]))
      return {
        calls: bridge?.calls.length ?? 0, contacts, problems,
        call: call && { id, state, direction, reason, text, name, remoteMuted, remoteCameraOff, muted, held, remoteHeld, dtmfPossible, abilities, sharing, remoteSharing, cameraOn },
      }
    },
    frames: () => frames,
    hears: () => media.hears(pc()),
    noteKeys: () => media.noteKeys(),
    keys: () => ({ types: media.keyTypes(pc()), found: media.found }),
    seen: () => call?.peerConnection ? media.seen(pc()) : null,
  }
})()
