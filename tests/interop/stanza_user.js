// An IM user with stanza.js: an ordinary account over the server's WebSocket. It accepts every request for a subscription.
globalThis.user = (() => {
  const xml = []
  const heard = []
  let client = null
  let session = null
  let crossing = null
  const pc = () => session.pc

  return {
    async connect({ jid, password, url }) {
      client = XMPP.createClient({ jid, password, transports: { websocket: url, bosh: false }, jingle: { iceServers: [] } })
      client.on('raw:*', (way, text) => {
        xml.push({ way: way === 'raw:incoming' ? 'in' : 'out', text: String(text) })
        if (way === 'raw:incoming' && crossing && text.includes('session-initiate')) crossing()
      })
      client.on('subscribe', ({ from }) => {
        client.acceptSubscription(from)
        client.subscribe(from)
      })
      client.on('jingle:incoming', (next) => {
        heard.push('incoming')
        if (session === null || session.state === 'ended') session = next
        next.ring()
      })
      for (const event of ['accepted', 'ringing', 'mute', 'unmute', 'hold', 'resumed']) client.on(`jingle:${event}`, (_, data) => heard.push(data?.name ? `${event} ${data.name}` : event))
      client.on('jingle:terminated', (ended, reason) => {
        ended.told = reason?.condition ?? 'gone'
        heard.push(`terminated ${ended.sid} ${ended.told}`)
      })
      const started = new Promise((done) => client.once('session:started', done))
      client.connect()
      await started
      await client.getRoster()
      client.updateCaps()
      client.sendPresence({ legacyCapabilities: client.disco.getCaps() })
      return client.jid
    },
    async call(jid, { audio = true, video = false } = {}) {
      session = client.jingle.createMediaSession(jid, undefined, await navigator.mediaDevices.getUserMedia({ audio, video }))
      await session.start()
      return session.sid
    },
    /** Calls `jid` with this sid at the very moment when its session-initiate comes in. */
    async cross(jid, sid) {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true })
      crossing = () => {
        crossing = null
        client.jingle.createMediaSession(jid, sid, stream).start()
      }
    },
    /** From now on this session is meant. */
    choose(sid) {
      session = client.jingle.sessions[sid]
    },
    async accept({ audio = true, video = false } = {}) {
      const stream = await navigator.mediaDevices.getUserMedia({ audio, video })
      for (const track of stream.getTracks()) await session.addTrack(track, stream)
      await session.accept()
    },
    decline: () => session.decline(),
    cancel: () => session.cancel(),
    hangUp: () => session.end(),
    mute: (on) => session[on ? 'mute' : 'unmute'](session.role, pc().getTransceivers()[0].mid),
    hold: () => session.hold(),
    resume: () => session.resume(),
    restartIce: () => session.restartIce(),
    leave: () => client.sendPresence({ type: 'unavailable' }),
    /** As if the browser had died: no media, and no word about it. */
    vanish() {
      pc().oniceconnectionstatechange = null
      pc().close()
    },
    close: () => client.disconnect(),

    report: () => ({
      sessions: Object.values(client.jingle.sessions).map(({ sid, state, role }) => ({ sid, state, role })),
      call: session && { sid: session.sid, state: session.state, role: session.role, told: session.told ?? null },
      heard,
    }),
    xml: () => xml,
    hears: () => media.hears(pc()),
    seen: () => session ? media.seen(pc()) : null,
  }
})()
