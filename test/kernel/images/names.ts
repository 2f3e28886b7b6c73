// Images that tests in the guest find in containerd's namespace k8s.io after `containerd-up` has run.

export { busyboxImage, pauseImage } from '../../cluster/binaries/images.ts'

/** Debian with bash, coreutils, python3 and the probes in /probes; present if a test folder requests it. */
export const debianImage = 'docker.io/varmor/debian:1'

/** The Debian image with servers (nginx, redis, postgresql, node, caddy); present if a test folder requests it. */
export const servicesImage = 'docker.io/varmor/services:1'

/** A runc that accepts flags in seccomp profiles; present if this machine can build it. */
export const newRunc = '/images/runc/runc'
