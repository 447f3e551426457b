# Read before the runner: makes `go test` compile our guard into the package `testing`, and run test programs by run.sh.
# Nothing in Go's own folder changes: `-overlay` shows other files to the compiler. They have the names of files that are there,
# for `go vet` reads those.
guard_go() {
    command -v go >/dev/null || return 0
    source=$(go env GOROOT)/src/testing
    imports=$(sed -n '/^import /p' "$guard/go/guard.go" | tr '\n' ';')
    sed -e "s|^package testing\$|&; $imports|" \
        -e 's/^func (t \*T) report() {/& cooperbenchReport(\&t.common);/' \
        -e 's/^func tRunner(t \*T, fn func(t \*T)) {/& cooperbenchStart(\&t.common, fn);/' \
        -e 's/^func (m \*M) after() {/& cooperbenchEnd();/' "$source/testing.go" >"$guard/go/testing.go" || return 0
    [ "$(grep -c cooperbench "$guard/go/testing.go")" = 3 ] || return 0
    sed '1,/^type /{/^type /!d}' "$guard/go/guard.go" >>"$guard/go/testing.go"
    sed 's/^func (eg \*InternalExample) processRunResult(/func (eg *InternalExample) cooperbenchResult(/' \
        "$source/example.go" >"$guard/go/example.go" || return 0
    files="\"$source/testing.go\": \"$guard/go/testing.go\", \"$source/example.go\": \"$guard/go/example.go\""
    if [ -f "$source/fuzz.go" ]; then
        sed -e 's/^func (f \*F) report() {/& cooperbenchReport(\&f.common);/' \
            -e 's/^func fRunner(f \*F, fn func(\*F)) {/& cooperbenchStart(\&f.common, fn);/' \
            "$source/fuzz.go" >"$guard/go/fuzz.go" || return 0
        files="$files, \"$source/fuzz.go\": \"$guard/go/fuzz.go\""
    fi
    echo "{\"Replace\": {$files}}" >"$guard/go/overlay.json"
    chmod +x "$guard/go/run.sh"
    export GOFLAGS="${GOFLAGS:+$GOFLAGS }-overlay=$guard/go/overlay.json -exec=$guard/go/run.sh"
}
guard_go
