// A page of a web chat with strophe.js, which calls with the examples of docs/how-to/xmpp-page.md.
globalThis.user = (() => {
  const { Strophe, $pres } = globalThis
  const sound = document.body.appendChild(document.createElement('audio'))
  sound.autoplay = sound.muted = true
  const stanzas = []
  const problems = []
  const connections = []
  let connection = null
  let phone = null
  let call = null
  let byHand = null
  const pc = () => byHand?.pc ?? call.peerConnection

  return {
    /** Also as the chat does it when its network was away. */
    async connect({ jid, password, url }) {
      connection ??= new Strophe.Connection(url)
      // As it is sent: Firefox leaves the namespaces that strophe wrote as attributes out of outerHTML.
      connection.xmlInput = (element) => stanzas.push({ way: 'in', text: Strophe.serialize(element) })
      connection.xmlOutput = (element) => stanzas.push({ way: 'out', text: Strophe.serialize(element) })
      await new Promise((done, failed) => connection.connect(jid, password, (status) => {
        if (status === Strophe.Status.CONNECTED) done()
        if (status === Strophe.Status.CONNFAIL || status === Strophe.Status.AUTHFAIL) failed(new Error(`status ${status}`))
      }))
      connection.send($pres())
      return connection.jid
    },
    /** The first example. */
    async start() {
      const { calls } = await import('/calls.js')
      phone = await calls(connection, sound)
      phone.bridge.addEventListener('incoming', ({ detail }) => { call = detail })
      phone.bridge.addEventListener('connection', ({ detail }) => connections.push(detail.state))
      return phone.bridge.jid
    },
    call(jid) {
      call = phone.call(jid)
      call.addEventListener('problem', ({ detail }) => problems.push(`${detail.code} ${detail.message}`))
    },
    mute: (on) => call.mute(on),
    resume: () => phone.bridge.resume,
    hangUp: () => byHand ? byHand.hangUp() : call.hangUp(),
    /** The second example. */
    async callByHand(domain, jid) {
      const { callByHand } = await import('/by-hand.js')
      byHand = await callByHand(connection, domain, jid, sound)
    },
    async refusedByHand(domain, jid) {
      const { session } = await import('/by-hand.js')
      const ask = await session(connection, domain, () => {})
      return ask('call', { call: 'x', to: jid, description: { type: 'offer', sdp: 'x' } }).catch((error) => error)
    },
    /** The connection breaks, and nobody says goodbye. */
    vanish: () => connection._proto.socket.close(),
    close: () => {
      phone?.bridge.close()
      connection.disconnect()
    },
    report: () => ({
      calls: phone?.bridge.calls.length ?? 0, problems, connections, state: phone?.bridge.state ?? null,
      call: call && { state: call.state, reason: call.reason, name: call.name, peer: call.peer },
      byHand: byHand && byHand.pc.connectionState,
    }),
    stanzas: () => stanzas,
    hears: () => media.hears(pc()),
    seen: () => call || byHand ? media.seen(pc()) : null,
  }
})()
