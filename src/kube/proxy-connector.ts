import { request as plainRequest } from 'node:http'
import { request as secureRequest } from 'node:https'
import type { Socket } from 'node:net'
import { buildConnector } from 'undici'

/** Milliseconds for the proxy to open a tunnel, and for the TLS handshake through it. */
const TIMEOUT = 10_000

/**
 * Connects through the tunnel of an HTTP proxy. undici's ProxyAgent is not used: if a proxy closes the connection
 * without an answer, ProxyAgent (7.30.2) retries forever, about a thousand times a second, and the request does not
 * fail.
 */
export function proxyConnector(proxyUrl: string, tls: buildConnector.BuildOptions): buildConnector.connector {
  const proxy = new URL(proxyUrl)
  const secured = buildConnector({ ...tls, timeout: TIMEOUT })
  return (options, callback) => {
    const target = `${options.hostname}:${options.port || (options.protocol === 'https:' ? 443 : 80)}`
    openTunnel(proxy, target, (error, socket) => {
      if (socket === undefined) callback(error ?? new Error('no tunnel'), null)
      else if (options.protocol === 'https:') secured({ ...options, httpSocket: socket }, callback)
      else callback(null, socket)
    })
  }
}

function openTunnel(proxy: URL, target: string, done: (error?: Error, socket?: Socket) => void): void {
  const [send, port] = proxy.protocol === 'https:' ? [secureRequest, 443] : [plainRequest, 80]
  const credentials = decodeURIComponent(`${proxy.username}:${proxy.password}`)
  const authorization =
    credentials === ':' ? {} : { 'proxy-authorization': `Basic ${Buffer.from(credentials).toString('base64')}` }
  const request = send({
    hostname: proxy.hostname.replace(/^\[|\]$/g, ''),
    port: proxy.port || port,
    method: 'CONNECT',
    path: target,
    headers: { host: target, ...authorization },
    agent: false,
    timeout: TIMEOUT,
  })
  const refuse = (status: number | undefined) => {
    request.destroy()
    done(new Error(`the proxy ${proxy.host} answered ${status} to CONNECT ${target}`))
  }
  request.once('timeout', () =>
    request.destroy(new Error(`the proxy ${proxy.host} did not answer within ${TIMEOUT} ms`)),
  )
  request.once('connect', ({ statusCode }, socket: Socket) => {
    if (statusCode !== 200) return refuse(statusCode)
    socket.setTimeout(0)
    socket.setKeepAlive(true, 30_000)
    done(undefined, socket)
  })
  // The proxy does not support CONNECT.
  request.once('response', ({ statusCode }) => refuse(statusCode))
  request.once('error', (error) => done(error))
  request.end()
}
