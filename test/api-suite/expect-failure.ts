import { expect } from 'chai'
import type { Json, Reply } from './api.ts'

export interface Failure {
  code: number
  /** A value of metav1.StatusReason; undefined if the server gives none. */
  reason?: string
  message: string | RegExp
  details?: Json
}

/** Expects that the server refuses the request, with exactly this Status. */
export function expectFailure(reply: Reply, failure: Failure): void {
  expect(reply.status, reply.text).to.equal(failure.code)
  expect(reply.body, reply.text).to.include({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code: failure.code })
  if (typeof failure.message === 'string') expect(reply.body.message).to.equal(failure.message)
  else expect(reply.body.message, reply.body.message).to.match(failure.message)
  expect(reply.body.reason).to.equal(failure.reason)
  if (failure.details !== undefined) expect(reply.body.details).to.deep.equal(failure.details)
}
