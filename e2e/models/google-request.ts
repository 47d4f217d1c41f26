import { z } from "zod";
import type { Message, ModelRequest } from "./conversation.ts";

/** Google's JSON takes each name in camel case and in snake case; unknown names are refused. */
function camelCase(value: unknown, free: ReadonlySet<string>): unknown {
  if (Array.isArray(value)) return value.map((one) => camelCase(one, free));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => {
      const camel = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
      return [camel, free.has(camel) ? inner : camelCase(inner, free)];
    }),
  );
}
/** What people put in here has names of its own. */
const FREE = new Set([
  "args",
  "response",
  "parameters",
  "parametersJsonSchema",
  "responseSchema",
  "responseJsonSchema",
  "labels",
]);

const struct = z.record(z.string(), z.json());
const FunctionCall = z.strictObject({ id: z.string().optional(), name: z.string(), args: struct.optional() });
const FunctionResponse = z.strictObject({
  id: z.string().optional(),
  name: z.string(),
  response: struct,
  parts: z.array(z.unknown()).optional(),
  willContinue: z.boolean().optional(),
  scheduling: z.string().optional(),
});
const Part = z.strictObject({
  text: z.string().optional(),
  thought: z.boolean().optional(),
  thoughtSignature: z.string().optional(),
  functionCall: FunctionCall.optional(),
  functionResponse: FunctionResponse.optional(),
  inlineData: z.strictObject({ mimeType: z.string(), data: z.base64() }).optional(),
  fileData: z.unknown().optional(),
  executableCode: z.unknown().optional(),
  codeExecutionResult: z.unknown().optional(),
  videoMetadata: z.unknown().optional(),
});
const Content = z.strictObject({
  role: z.enum(["user", "model", "function"]).optional(),
  parts: z.array(Part),
});
export type Content = z.infer<typeof Content>;

const FunctionDeclaration = z.strictObject({
  name: z
    .string()
    .regex(
      /^[A-Za-z_][A-Za-z0-9_.:-]{0,127}$/,
      "Invalid function name. Must start with a letter or an underscore.",
    ),
  description: z.string().optional(),
  parameters: z.unknown().optional(),
  parametersJsonSchema: z.unknown().optional(),
  response: z.unknown().optional(),
  responseJsonSchema: z.unknown().optional(),
  behavior: z.string().optional(),
});
const anything = z.unknown().optional();
const GenerateContentRequest = z.strictObject({
  model: z.string().optional(),
  contents: z.array(Content),
  systemInstruction: Content.optional(),
  tools: z
    .array(
      z.strictObject({
        functionDeclarations: z.array(FunctionDeclaration).optional(),
        googleSearch: anything,
        googleSearchRetrieval: anything,
        urlContext: anything,
        codeExecution: anything,
        computerUse: anything,
        fileSearch: anything,
        googleMaps: anything,
      }),
    )
    .optional(),
  toolConfig: z
    .looseObject({
      functionCallingConfig: z
        .looseObject({
          mode: z.enum(["AUTO", "ANY", "NONE", "VALIDATED", "MODE_UNSPECIFIED"]).optional(),
          allowedFunctionNames: z.array(z.string()).optional(),
        })
        .optional(),
    })
    .optional(),
  safetySettings: anything,
  generationConfig: z
    .strictObject({
      temperature: z.number().optional(),
      topP: z.number().optional(),
      topK: z.number().optional(),
      candidateCount: z.int().optional(),
      maxOutputTokens: z.int().positive().optional(),
      stopSequences: z.array(z.string()).optional(),
      responseMimeType: z.string().optional(),
      responseSchema: anything,
      responseJsonSchema: anything,
      presencePenalty: z.number().optional(),
      frequencyPenalty: z.number().optional(),
      seed: z.int().optional(),
      responseLogprobs: anything,
      logprobs: anything,
      responseModalities: anything,
      mediaResolution: anything,
      thinkingConfig: anything,
      speechConfig: anything,
      imageConfig: anything,
      enableEnhancedCivicAnswers: anything,
    })
    .optional(),
  cachedContent: z.string().optional(),
  labels: anything,
  serviceTier: anything,
  store: anything,
});
type GenerateContentRequest = z.infer<typeof GenerateContentRequest>;

/** Values that Google takes in place of a signature which a client never had. */
const SIGNATURES_SKIPPED = new Set([
  "skip_thought_signature_validator",
  "context_engineering_is_the_way_to_go",
]);

/** Takes a request apart as the real API does. A string says why it is refused. `signatures` are those given out, and for which function. */
export function readGoogleRequest(
  body: string,
  signatures: ReadonlyMap<string, string>,
): Omit<ModelRequest, "model" | "stream"> | string {
  const parsed = GenerateContentRequest.safeParse(camelCase(parseJson(body), FREE));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return issue?.code === "unrecognized_keys"
      ? `Invalid JSON payload received. Unknown name "${issue.keys[0]}" at '${issue.path.join(".")}': Cannot find field.`
      : `Invalid value at '${issue?.path.join(".")}': ${issue?.message}`;
  }
  const request = parsed.data;
  return refusal(request, signatures) ?? conversation(request);
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}

function refusal(request: GenerateContentRequest, signatures: ReadonlyMap<string, string>): string | null {
  const { contents } = request;
  if (contents.length === 0) return "* GenerateContentRequest.contents: contents is not specified\n";
  for (const [index, { parts }] of contents.entries()) {
    const at = `* GenerateContentRequest.contents[${index}].parts`;
    if (parts.length === 0) return `${at}: contents.parts must not be empty.\n`;
    for (const [number, part] of parts.entries()) {
      if (part.functionResponse?.name === "")
        return `${at}[${number}].function_response.name: Name cannot be empty.\n`;
      const kinds = Object.keys(part).filter(
        (name) => !/^(thought|thoughtSignature|videoMetadata)$/.test(name),
      );
      if (kinds.length !== 1)
        return `${at}[${number}].data: required oneof field 'data' must have one initialized field\n`;
    }
  }
  return callOrder(contents) ?? signatureRefusal(contents, signatures);
}

/** A turn of calls follows words of a user or results, and is followed by exactly its own results. */
function callOrder(contents: Content[]): string | null {
  for (const [index, { parts }] of contents.entries()) {
    const calls = parts.flatMap(({ functionCall }) => functionCall ?? []);
    const results = parts.flatMap(({ functionResponse }) => functionResponse ?? []);
    const before = contents[index - 1];
    if (calls.length > 0 && (before === undefined || before.role === "model"))
      return "Please ensure that function call turn comes immediately after a user turn or after a function response turn.";
    const asked = before?.parts.flatMap(({ functionCall }) => functionCall ?? []) ?? [];
    if (results.length > 0 && asked.length === 0)
      return "Please ensure that function response turn comes immediately after a function call turn.";
    const unanswered = [...asked];
    for (const { name, id } of results) {
      const found = unanswered.findIndex(
        (call) => call.name === name && (id === undefined || call.id === undefined || call.id === id),
      );
      if (found < 0) unanswered.length = 0;
      else unanswered.splice(found, 1);
      if (found < 0) return COUNT_DIFFERS;
    }
    if (unanswered.length > 0) return COUNT_DIFFERS;
  }
  return null;
}
const COUNT_DIFFERS =
  "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.";

/** Since the last words of a user, the first call of each turn of the model carries the signature it came with, unchanged. */
function signatureRefusal(contents: Content[], signatures: ReadonlyMap<string, string>): string | null {
  const spoke = contents.findLastIndex(
    ({ role, parts }) =>
      role !== "model" &&
      parts.every((part) => part.functionResponse === undefined && part.text !== undefined),
  );
  for (const [index, { role, parts }] of contents.entries()) {
    if (role !== "model" || index < spoke) continue;
    const [first] = parts.filter(({ functionCall }) => functionCall !== undefined);
    if (first?.functionCall === undefined) continue;
    const { thoughtSignature, functionCall } = first;
    if (thoughtSignature === undefined)
      return `Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, and missing thought_signature may lead to degraded model performance. Additional data, function call \`default_api:${functionCall.name}\`, position ${index + 1}. Please refer to https://ai.google.dev/gemini-api/docs/thought-signatures for more details.`;
    if (SIGNATURES_SKIPPED.has(thoughtSignature)) continue;
    if (signatures.get(thoughtSignature) !== functionCall.name) return "Corrupted thought signature.";
  }
  return null;
}

function conversation(request: GenerateContentRequest): Omit<ModelRequest, "model" | "stream"> {
  return {
    protocol: "google",
    system: request.systemInstruction?.parts.map(({ text }) => text ?? "").join("\n") ?? "",
    messages: request.contents.map(message),
    tools: (request.tools ?? []).flatMap(({ functionDeclarations }) =>
      (functionDeclarations ?? []).map(({ name }) => name),
    ),
    choice: choice(request.toolConfig?.functionCallingConfig),
    structured: request.generationConfig?.responseMimeType === "application/json",
  };
}

function choice(
  config: { mode?: string | undefined; allowedFunctionNames?: string[] | undefined } | undefined,
): string {
  const names = config?.allowedFunctionNames ?? [];
  if (config?.mode === "NONE") return "none";
  if (config?.mode !== "ANY") return "auto";
  return names.length === 1 ? (names[0] ?? "required") : "required";
}

function message({ role, parts }: Content): Message {
  return {
    from: role === "model" ? "model" : "user",
    text: parts.map(({ text, thought }) => (thought === true ? "" : (text ?? ""))).join(""),
    calls: parts.flatMap(({ functionCall: call }) =>
      call === undefined ? [] : [{ name: call.name, args: JSON.stringify(call.args ?? {}) }],
    ),
    results: parts.flatMap(({ functionResponse: result }) =>
      result === undefined ? [] : [{ name: result.name, content: resultText(result.response) }],
    ),
  };
}

/** Clients wrap results in an object of their own; what counts is the text in it. */
function resultText(response: Record<string, unknown>): string {
  return Object.values(response)
    .map((value) => (typeof value === "string" ? value : JSON.stringify(value)))
    .join("\n");
}
