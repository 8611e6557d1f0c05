/**
 * Writes a layer's bill of materials as CycloneDX JSON, and checks it against the schema.
 *
 * It has no date and no serial number, so that the same layer has the same bill.
 *
 * @module
 */

import { ComponentType, HashAlgorithm } from "@cyclonedx/cyclonedx-library/Enums";
import {
  Bom,
  Component,
  ExternalReference,
  HashDictionary,
  LicenseExpression,
  LicenseRepository,
  NamedLicense,
  Property,
  PropertyRepository,
} from "@cyclonedx/cyclonedx-library/Models";
import { JSON as CycloneDxJson, JsonSerializer } from "@cyclonedx/cyclonedx-library/Serialize";
import { Spec1dot6 } from "@cyclonedx/cyclonedx-library/Spec";
import { JsonStrictValidator } from "@cyclonedx/cyclonedx-library/Validation";

import type { Part } from "./part.ts";

/** Spaces of indentation: the bill is read by people too. */
const INDENT = 2;

/** What the bill describes as a whole. */
export interface Product {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
}

/** Returns the bill of a product and its parts. */
export function billOfMaterials(product: Product, parts: readonly Part[]): string {
  const bom = new Bom();
  bom.metadata.component = new Component(ComponentType.Platform, product.name, {
    bomRef: `${product.name}@${product.version}`,
    version: product.version,
    licenses: new LicenseRepository([new LicenseExpression("Apache-2.0")]),
    properties: new PropertyRepository([new Property("architecture", product.architecture)]),
  });
  for (const part of parts) bom.components.add(componentOf(part));
  const serializer = new JsonSerializer(new CycloneDxJson.Normalize.Factory(Spec1dot6));
  return `${serializer.serialize(bom, { sortLists: true, space: INDENT })}\n`;
}

/**
 * Checks a bill against the CycloneDX 1.6 schema.
 * @throws {Error} When it is not valid.
 */
export async function checkBillOfMaterials(text: string): Promise<void> {
  const fault = await new JsonStrictValidator(Spec1dot6.version).validate(text);
  if (fault === null) return;
  throw new Error(`failed to validate the bill of materials: ${JSON.stringify(fault)}`);
}

function componentOf(part: Part): Component {
  // Terms that SPDX does not list go in by name: an expression may not hold them.
  const license = part.license.startsWith("LicenseRef-")
    ? new NamedLicense(part.license.slice("LicenseRef-".length))
    : new LicenseExpression(part.license);
  const component = new Component(ComponentType.Library, part.name, {
    bomRef: part.purl,
    version: part.version,
    purl: part.purl,
    hashes: new HashDictionary([[HashAlgorithm["SHA-256"], part.sha256]]),
    licenses: new LicenseRepository([license]),
    properties: new PropertyRepository([new Property("source", part.source)]),
  });
  if (part.source.startsWith("https://")) {
    component.externalReferences.add(
      new ExternalReference(part.source, "distribution" as ExternalReference["type"]),
    );
  }
  return component;
}
