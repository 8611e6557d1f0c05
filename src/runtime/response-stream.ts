/**
 * A streamed response in the making. When its connection breaks, the rest of it is dropped: the Runtime
 * API knows that it is cut off, and nothing more may be said of its event, not even an error.
 *
 * @module
 */

import type { HttpConnection } from "./http-connection.ts";
import { ConnectionError, type ReceivedResponse } from "./http-response-reader.ts";

export class ResponseStream {
  readonly #connection: HttpConnection;
  #failure: ConnectionError | undefined;

  /** @param connection One of its own, on which a chunked POST has begun. */
  constructor(connection: HttpConnection) {
    this.#connection = connection;
  }

  /** Sends bytes at once. */
  write(bytes: Uint8Array): void {
    this.#attempt(() => this.#connection.sendChunk(bytes));
  }

  /** Ends it without its end, so that nobody takes it for complete; a write that waits comes back. */
  breakOff(): void {
    this.#connection.shutDown();
  }

  /** Closes its connection; a stream that was not ended is incomplete. */
  close(): void {
    this.#connection.close();
  }

  /**
   * Ends the stream.
   * @param trailers Lines of `headerLine`.
   * @returns The response, or why there is none.
   */
  end(trailers: string): ReceivedResponse | ConnectionError {
    const response = this.#attempt(() => this.#connection.endChunks(trailers));
    return this.#failure ?? response ?? new ConnectionError("the connection was closed", true);
  }

  #attempt<Result>(use: () => Result): Result | undefined {
    if (this.#failure !== undefined) return undefined;
    try {
      return use();
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      this.#failure = error;
      return undefined;
    }
  }
}
