/**
 * The function's configuration, as its template or the command line has it: what Lambda would refuse, and
 * what does not fit the folder.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { join } from "node:path";

import { TEMPLATE_FILE, templateArchitecture } from "../commands/function/architecture.ts";
import {
  ENDED_RUNTIMES,
  KNOWN_RUNTIMES,
  OS_ONLY_RUNTIMES,
  unknownRuntime,
} from "../commands/function/runtimes.ts";
import { awsArchitecture } from "../program.ts";
import { type CheckTarget, error, type Finding, hint, warning } from "./finding.ts";

/** Bytes of names and values of all variables that Lambda allows. */
const VARIABLES_BYTES_MAX = 4096;

/** What Lambda takes as a handler. */
const HANDLER_NAME = /^\S{1,128}$/;

/** Layers of one function that Lambda allows. */
const LAYERS_MAX = 5;

/** What is wrong with the configuration. */
export function checkConfiguration(target: CheckTarget): readonly Finding[] {
  const refused = target.refused.map((each) =>
    error(`${each.replaceAll(`${target.directory}/`, "")}`, "on AWS the deployment fails"),
  );
  const reread = target.template?.described.reread ?? [];
  return [
    ...refused,
    ...reread.map(({ message }) => warning(message.replaceAll(`${target.directory}/`, ""))),
    ...checkHandlerName(target),
    ...checkVariables(target),
    ...checkArchitecture(target),
    ...checkRuntime(target),
  ];
}

function checkHandlerName({ handler }: CheckTarget): readonly Finding[] {
  if (HANDLER_NAME.test(handler)) return [];
  return [
    error(
      `the handler has a name that Lambda does not take: ${JSON.stringify(handler.slice(0, 40))}`,
      "on AWS the deployment fails with: ValidationException",
      "fix: at most 128 characters, without white space",
    ),
  ];
}

function checkVariables({ variables }: CheckTarget): readonly Finding[] {
  const byteLength = Object.entries(variables).reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value),
    0,
  );
  const wrong = Object.keys(variables).filter((name) => !/^[A-Za-z][A-Za-z0-9_]+$/.test(name));
  return [
    ...wrong.map((name) =>
      error(
        `the variable ${JSON.stringify(name)} has a name that Lambda does not take`,
        "on AWS the deployment fails with: ValidationException",
        "fix: a letter, then letters, digits and underscores, at least two in all",
      ),
    ),
    ...(byteLength <= VARIABLES_BYTES_MAX
      ? []
      : [
          error(
            `the variables have ${byteLength} bytes, Lambda takes at most ${VARIABLES_BYTES_MAX}`,
            "on AWS the deployment fails with: InvalidParameterValueException",
            "fix: put large values into a file, or into Parameter Store",
          ),
        ]),
  ];
}

/** What is packaged for one architecture cannot be deployed as another. */
function checkArchitecture({ directory, architecture }: CheckTarget): readonly Finding[] {
  const templates = templateArchitecture(directory);
  if (templates === undefined || templates === architecture) return [];
  return [
    warning(
      `${TEMPLATE_FILE} has the architecture ${awsArchitecture(templates)}, ` +
        `this is a function for ${awsArchitecture(architecture)}`,
      "on AWS a bootstrap for the other one fails with: Runtime.InvalidEntrypoint",
      `fix: Architectures: [${awsArchitecture(architecture)}], or --arch ${awsArchitecture(templates)}`,
    ),
  ];
}

/** Runtime and layers of the template. */
function checkRuntime({ directory, template, withBootstrap }: CheckTarget): readonly Finding[] {
  if (template === undefined) return [];
  const { file, described } = template;
  const { logicalId, runtime, lacksRuntime, runtimeConfig, layers, packageType, idle } = described;
  if (packageType === "Image") return [];
  const place = `${file}: ${logicalId}`;
  const findings: Finding[] = [];
  const hasBootstrap = existsSync(join(directory, "bootstrap"));
  if (lacksRuntime) {
    const fix = "fix: Runtime: provided.al2023";
    findings.push(error(`${place}: Runtime is missing`, "on AWS the deployment fails", fix));
  } else if (runtime === undefined) {
    // Only a deployment knows it.
  } else if (ENDED_RUNTIMES.has(runtime)) {
    const when = `no function can be created with it since ${ENDED_RUNTIMES.get(runtime)}`;
    findings.push(error(`${place}: Runtime: ${runtime}: ${when}`, "fix: Runtime: provided.al2023"));
  } else if (!KNOWN_RUNTIMES.has(runtime)) {
    const words = `${place}: ${unknownRuntime(runtime)}`;
    findings.push(warning(words, "fix: Runtime: provided.al2023"));
  } else if (runtime !== "custom" && !OS_ONLY_RUNTIMES.includes(runtime)) {
    findings.push(
      error(
        `${place}: Runtime: ${runtime} starts a bootstrap of its own, which loads no shell`,
        "on AWS this fails with: Runtime.ImportModuleError, or the like",
        "fix: Runtime: provided.al2023",
      ),
    );
  }
  if (runtimeConfig !== undefined && hasBootstrap) {
    findings.push(
      warning(
        `${place}: the folder has a bootstrap, and Runtime: custom brings one`,
        "which of them Lambda starts is not documented",
        "fix: leave it out of the zip: lambda-shell package --exclude bootstrap",
      ),
    );
  }
  if (layers !== undefined && layers > LAYERS_MAX) {
    const words = `${place}: ${layers} layers, Lambda takes at most ${LAYERS_MAX}`;
    const fails = "on AWS the deployment fails with: InvalidParameterValueException";
    findings.push(error(words, fails, "fix: put what belongs together into one layer"));
  }
  const isOsOnly = runtime !== undefined && OS_ONLY_RUNTIMES.includes(runtime);
  if (isOsOnly && layers === 0 && !hasBootstrap && withBootstrap !== true) {
    findings.push(
      warning(
        `${place}: there is neither a bootstrap in the folder nor a layer`,
        "on AWS this fails with: Runtime.InvalidEntrypoint",
        "fix: add the layer lambda-shell-runtime, or package it with lambda-shell package --with-bootstrap",
      ),
    );
  }
  if (idle.length > 0) {
    findings.push(hint(`${place}: without effect on this computer: ${idle.join(", ")}`));
  }
  return findings;
}
