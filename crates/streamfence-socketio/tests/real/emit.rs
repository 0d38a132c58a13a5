use bytes::Bytes;
use streamfence_socketio::Verbatim;
use streamfence_socketio::link::Expected;

use crate::app;
use crate::common::client::{Message, WebSocket};
use crate::common::patience::eventually;

#[tokio::test]
async fn text_is_emitted_byte_for_byte() {
    let mut app = app::start(&app::options());
    let mut client = WebSocket::join(app.connector.connect(65_536).await.expect("listening")).await;
    let (socket, _) = app.news.joined.recv().await.expect("it joined");
    for arguments in [r#"{"a": 1.0e2},{"offset":7}"#, r#""é \u00e9""#, "[]", "null,null,null"] {
        socket.emit("snapshot", &Verbatim { arguments, attachments: &[] }).expect("the channel has room");
        let expected = format!("42[\"snapshot\",{arguments}]");
        assert_eq!(client.receive().await.expect("open"), Message::Text(expected));
    }
}

#[tokio::test]
async fn attachments_follow_a_text_that_names_them_already() {
    let mut app = app::start(&app::options());
    let mut client = WebSocket::join(app.connector.connect(65_536).await.expect("listening")).await;
    let (socket, link) = app.news.joined.recv().await.expect("it joined");
    let arguments = r#"{"x":{"_placeholder":true,"num":1},"y":{"_placeholder":true,"num":0}}"#;
    let attachments = [Bytes::from_static(b"zero"), Bytes::from_static(b"one")];
    let text = format!("52-[\"snapshot\",{arguments}]");
    link.expect(Expected::text(&Bytes::from(text.clone())).with_attachments(2, 7));
    socket.emit("snapshot", &Verbatim { arguments, attachments: &attachments }).expect("the channel has room");
    assert_eq!(client.receive().await.expect("open"), Message::Text(format!("4{text}")));
    assert_eq!(client.receive().await.expect("open"), Message::Binary(b"zero".to_vec()));
    assert_eq!(client.receive().await.expect("open"), Message::Binary(b"one".to_vec()));
    eventually("all room is back", || link.room().is_empty).await;
}

#[tokio::test]
async fn a_packet_with_an_ack_id_is_recognised() {
    let mut app = app::start(&app::options());
    let mut client = WebSocket::join(app.connector.connect(65_536).await.expect("listening")).await;
    let (socket, link) = app.news.joined.recv().await.expect("it joined");
    link.expect(Expected::text(&Bytes::from_static(b"2[\"alerts\",1]")).with_ack_id_at(1));
    let arguments = Verbatim { arguments: "1", attachments: &[] };
    let _acked = socket.emit_with_ack::<_, ()>("alerts", &arguments).expect("the channel has room");
    assert_eq!(client.receive().await.expect("open"), Message::Text("421[\"alerts\",1]".into()));
    eventually("all room is back", || link.room().is_empty).await;
}
