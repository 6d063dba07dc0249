// aedes behind TLS, with the accounts and rights that the first argument's file holds.
'use strict'

const fs = require('node:fs')
const path = require('node:path')
const tls = require('node:tls')
const { createRequire } = require('node:module')

const { aedes, address, port, pki, accounts, may } = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'))
const broker = createRequire(path.join(aedes, 'package.json'))('aedes')()

// What is asked for is read by MQTT's rules for filters, where `#` is the last level and there is no `+`.
const covers = (right, topic) => right.endsWith('/#') ? topic.startsWith(right.slice(0, -1)) : topic === right
const mayDo = (client, what, topic) => (may[client.user] || { [what]: [] })[what].some(right => covers(right, topic))
const refused = () => Object.assign(new Error('not authorized'), { returnCode: 5 })

broker.authenticate = (client, user, password, done) => {
  const account = Object.hasOwn(accounts, user || '') && accounts[user]
  if (!account || !password || password.toString() !== account.password) return done(refused(), false)
  client.user = user
  done(null, true)
}
broker.authorizePublish = (client, packet, done) => {
  // The broker itself publishes without a client.
  done(!client || mayDo(client, 'write', packet.topic) ? null : refused())
}
broker.authorizeSubscribe = (client, subscription, done) => {
  done(null, mayDo(client, 'read', subscription.topic) ? subscription : null)
}
broker.authorizeForward = (client, packet) => mayDo(client, 'read', packet.topic) ? packet : null

tls.createServer({
  cert: fs.readFileSync(path.join(pki, 'server.pem')),
  key: fs.readFileSync(path.join(pki, 'server.key'))
}, broker.handle).listen(port, address)
