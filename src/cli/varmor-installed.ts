#!/usr/bin/env node
import { runVarmor } from './program.ts'

// An installation in a cluster does not have the sandbox command.
await runVarmor()
