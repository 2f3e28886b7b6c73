import { runtimeMessage } from '../../agent/containers/grpc-client.ts'
import { RuntimeError } from '../../agent/containers/runtime.ts'
import { ContainerStartError } from '../controllers/node/pod-runtime.ts'
import type { Container } from '../controllers/types.ts'
import type { CriPort } from './cri.ts'
import type { CriImage, PodSandboxConfig } from './cri-types.ts'
import { fieldsOf } from './pod-fields.ts'

/** A container registry's reference, as far as a name is refused before anybody is asked for it. */
const reference = /^[a-z0-9][\w.\-/:]*(@sha256:[0-9a-f]{64})?$/i

/**
 * The image of a container, pulled where the policy says so (kubernetes, pkg/kubelet/images/image_manager.go).
 * @throws {ContainerStartError} InvalidImageName, ErrImageNeverPull, ImageInspectError or ErrImagePull
 */
export async function ensureImage(cri: CriPort, container: Container, config: PodSandboxConfig): Promise<CriImage> {
  const { image = '', imagePullPolicy = 'IfNotPresent' } = fieldsOf(container)
  if (!reference.test(image))
    throw new ContainerStartError('InvalidImageName', `Failed to apply default image tag ${JSON.stringify(image)}`)
  const found = await inspected(cri, image)
  if (found !== undefined && imagePullPolicy !== 'Always') return found
  if (imagePullPolicy === 'Never')
    throw new ContainerStartError(
      'ErrImageNeverPull',
      `Container image ${JSON.stringify(image)} is not present with pull policy of Never`,
    )
  await pulled(cri, image, config)
  const now = await inspected(cri, image)
  if (now === undefined) throw new ContainerStartError('ErrImagePull', `${image} was pulled, and is not there`)
  return now
}

async function inspected(cri: CriPort, image: string): Promise<CriImage | undefined> {
  try {
    return await cri.image(image)
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error
    throw new ContainerStartError(
      'ImageInspectError',
      `Failed to inspect image ${JSON.stringify(image)}: ${runtimeMessage(error)}`,
      { cause: error },
    )
  }
}

async function pulled(cri: CriPort, image: string, config: PodSandboxConfig): Promise<void> {
  try {
    await cri.pullImage(image, config)
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error
    throw new ContainerStartError('ErrImagePull', runtimeMessage(error), { cause: error })
  }
}
