import SwiftUI
import UniformTypeIdentifiers
import UnderpassPacketTunnel

struct TunnelView: View {
    @StateObject var model: TunnelModel
    @State private var isImporting = false
    @State private var text = ""

    var body: some View {
        NavigationView {
            Form {
                Section {
                    Toggle("Tunnel", isOn: Binding(get: { model.isOn }, set: { _ in model.toggle() }))
                    if let status = model.status { StatusRows(status: status) }
                }
                Section("Configuration") {
                    Button("From a file") { isImporting = true }
                    TextEditor(text: $text).frame(minHeight: 120).font(.body.monospaced()).disableAutocorrection(true)
                    Button("Save what is pasted") { install(text) }.disabled(text.isEmpty)
                }
                if let problem = model.problem { Section("Problem") { Text(problem).foregroundColor(.red) } }
            }
            .navigationTitle("Underpass")
        }
        .fileImporter(isPresented: $isImporting, allowedContentTypes: [.plainText, .data]) { result in
            guard case .success(let file) = result, file.startAccessingSecurityScopedResource() else { return }
            defer { file.stopAccessingSecurityScopedResource() }
            if let text = try? String(contentsOf: file, encoding: .utf8) { install(text) }
        }
        .onAppear { model.watch() }
        .onDisappear { model.unwatch() }
    }

    private func install(_ text: String) {
        // The private key is not kept in a view.
        self.text = ""
        Task { await model.install(text) }
    }
}

/// What the extension says, from authenticated traffic: not what the system thinks of the profile.
struct StatusRows: View {
    let status: AppReply.Status

    var body: some View {
        row("State", status.word)
        row("Sent", ByteCountFormatter.string(fromByteCount: Int64(clamping: status.txBytes), countStyle: .binary))
        row("Received", ByteCountFormatter.string(fromByteCount: Int64(clamping: status.rxBytes), countStyle: .binary))
        if let at = status.latestHandshake {
            row("Handshake", Date(timeIntervalSince1970: Double(at) / 1000).formatted(date: .omitted, time: .standard))
        }
    }

    private func row(_ name: String, _ value: String) -> some View {
        HStack {
            Text(name)
            Spacer()
            Text(value).foregroundColor(status.isConnected ? .primary : .secondary)
        }
    }
}
