import { expect } from 'chai'
import { secrets } from '../../src/kube/core-objects.ts'
import { eventually } from '../cluster/wait.ts'
import { apply, ready, refusal, remove } from './hands.ts'
import { discard } from './life.ts'
import { policy } from './samples.ts'
import { installNamespace, quick, type World } from './world.ts'

/**
 * Renews the manager's authority and certificate repeatedly, while clients that trust the published authority use them
 * continuously.
 */
export async function renewCertificates(world: World): Promise<void> {
  const namespace = await world.namespace('renew')
  const made = policy(namespace, 'web')
  await world.stopManager()
  await discard(world, secrets, { name: 'varmor-manager-tls', namespace: installNamespace })
  const seconds = 1_000
  await world.startManager({
    timing: {
      ...quick.timing,
      certificates: {
        every: 200,
        policy: {
          authorityValidity: 9 * seconds,
          authorityRenewBefore: 6 * seconds,
          publishDelay: 1.5 * seconds,
          servingValidity: 4 * seconds,
          servingRenewBefore: 2 * seconds,
          backdate: 60 * seconds,
        },
      },
    },
  })
  await world.leading()
  await eventually('the server to trust the new authority', async () => {
    const message = await apply(world, policy(namespace, 'probe', { rules: ['disallow-mounts'] })).then(
      () => '',
      (error: Error) => error.message,
    )
    return message.includes('disallow-mounts')
  })
  const authorities = new Set<string>()
  const certificates = new Set<string>()
  for (let round = 0; authorities.size < 4 || certificates.size < 4; round++) {
    expect(await refusal(apply(world, policy(namespace, `bad-${round}`, { rules: ['disallow-mounts'] })))).to.include(
      'disallow-mounts',
    )
    await apply(world, policy(namespace, 'web', { rules: [round % 2 === 0 ? 'disallow-mount' : 'disallow-umount'] }))
    await ready(world, made)
    const { data = {} } = await world.client.get(secrets, {
      name: 'varmor-manager-tls',
      namespace: installNamespace,
    })
    for (const pem of Buffer.from(data['ca.crt']!, 'base64')
      .toString()
      .split(/(?<=-----END CERTIFICATE-----\n)/))
      authorities.add(pem)
    certificates.add(data['tls.crt']!)
  }
  await world.stopManager()
  await discard(world, secrets, { name: 'varmor-manager-tls', namespace: installNamespace })
  await world.startManager()
  await remove(world, made)
}
